"""Bytes of a file as text, within bounds; it knows no format."""

from __future__ import annotations

import codecs

from deployctl.inventories.rows import NoInventory

#: A fleet of 100,000 is some 15 MB; more than this would fill a process.
MOST_BYTES = 50_000_000
#: No target needs a longer line; one that does is not what it seems to be.
MOST_LINE_CHARS = 1_000_000

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, ""),
    (codecs.BOM_UTF32_BE, ""),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decoded(data: bytes) -> str:
    """Return a file as text: UTF-8, or UTF-16 that says so by its mark.

    Raises:
        NoInventory: it is too large, empty, or in no such encoding.
    """
    if len(data) > MOST_BYTES:
        raise NoInventory(f"It has more than {MOST_BYTES // 1_000_000} MB.")
    mark, encoding = next(
        ((mark, name) for mark, name in _MARKS if data.startswith(mark)),
        (b"", "utf-8"),
    )
    if not encoding:
        raise NoInventory("It is UTF-32. Save it as UTF-8.")
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise NoInventory(
            f"Line {line} is not {encoding.upper()[:6].rstrip('-')}. Save it as UTF-8."
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise NoInventory(
            f"Line {line} has a NUL in it. If it is UTF-16 without a mark, save it as"
            " UTF-8."
        )
    if not text.strip():
        raise NoInventory("It is empty.")
    return text


def refuse_long_lines(text: str) -> None:
    """Refuse a text with a line that no target needs.

    Raises:
        NoInventory: with the number of that line.
    """
    start = 0
    for number, end in enumerate(_ends(text), 1):
        if end - start > MOST_LINE_CHARS:
            raise NoInventory(
                f"Line {number} has more than {MOST_LINE_CHARS:,} characters."
            )
        start = end + 1


def _ends(text: str) -> list[int]:
    ends, at = [], text.find("\n")
    while at >= 0:
        ends.append(at)
        at = text.find("\n", at + 1)
    return [*ends, len(text)]

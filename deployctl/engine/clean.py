"""Makes text of what a target sent; it refuses to know where the text goes.

Bytes of any kind come in. What comes out can be stored by PostgreSQL, sent as
JSON and put, escaped, into a page: no NUL, no lone surrogate, no control or
bidirectional-override character, no terminal escape, and no more than asked for.
"""

from __future__ import annotations

import re

#: Characters kept from the front and from the back of an output.
HEAD_CHARS = 64 * 1024
TAIL_CHARS = 64 * 1024
#: Characters of a one-line text: a reason, a detail, a version that was read.
LINE_CHARS = 500

#: What stands where a line was cut.
ELLIPSIS = "…"
# What says so where a middle was cut away: by us, by an agent, by a host's wrapper.
_NOTE = r"\s\[(?:…|\.\.\.) (?:\d+ \w+ )?cut (?:…|\.\.\.)\]\s"
_NOTED = re.compile(_NOTE)
#: Where something was cut away: before it, or around a note, which may be in a line.
CUT = re.compile(f"{_NOTE}|…")
#: By so much a text may be longer for its note, and for masks that were put into it.
_ROOM_CHARS = 1024

# CSI, OSC (ended by BEL or ST, or never), other strings, two-character escapes.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
# C0 but tab and newline, DEL, C1, lone surrogates, direction overrides, non-characters.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
    "\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)
_SPACE = re.compile(r"\s+")


def text(raw: bytes | str, *, head: int = HEAD_CHARS, tail: int = TAIL_CHARS) -> str:
    """Return `raw` as harmless text of at most `head + tail` characters and a note.

    Args:
        raw: bytes are read as UTF-8, wrong ones become U+FFFD.
        head: characters kept from the front.
        tail: characters kept from the back.

    What is left out of the middle is counted in the note that stands there. A text that
    was cut before, here or where it comes from, keeps the note that knows the count.
    """
    decoded = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    # A progress bar writes over its line; the page cannot, so each turn is a line.
    lines = decoded.replace("\r\n", "\n").replace("\r", "\n")
    return _bounded(_UNWANTED.sub("", _ESCAPES.sub("", lines)), head, tail)


def line(raw: bytes | str, *, limit: int = LINE_CHARS) -> str:
    """Return `raw` as one harmless line of at most `limit` characters."""
    if _is_plain(raw, limit):
        return str(raw)
    # Cleaning is linear, but a line needs no megabyte of it.
    flat = _SPACE.sub(" ", text(raw[: limit * 8])).strip()
    return flat if len(flat) <= limit else flat[: limit - 1] + ELLIPSIS


def _is_plain(raw: bytes | str, limit: int) -> bool:
    """Whether nothing could be cleaned away: most lines are a version, or nothing."""
    return (
        isinstance(raw, str)
        and len(raw) <= limit
        and raw.isascii()
        and raw.isprintable()
        and " " not in raw
    )


def _bounded(whole: str, head: int, tail: int) -> str:
    cut = len(whole) - head - tail
    if cut <= 0 or (cut <= _ROOM_CHARS and _is_noted(whole, head)):
        return whole
    return f"{whole[:head]}\n[… {cut} characters cut …]\n{whole[len(whole) - tail :]}"


def _is_noted(whole: str, head: int) -> bool:
    around = max(0, head - _ROOM_CHARS), head + _ROOM_CHARS
    return _NOTED.search(whole, *around) is not None

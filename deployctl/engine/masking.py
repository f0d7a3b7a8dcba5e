"""Finds a secret in what a far side said, however it said it, and puts a mask there.

It knows values alone: whose they are, and who said what, is not known here. Whoever
wants to tell a secret can always write it in a way of his own; this is against telling
it by accident, in a log, a dump of variables or a request that is shown again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterator
from functools import lru_cache
from itertools import islice
from urllib.parse import quote

from deployctl.engine import clean

MASK = "[secret]"
#: Shorter values, and parts at a cut, are not looked for: too much is like them.
LEAST_CHARS = 4
#: Shorter values are not looked for in base64 and hex.
_LEAST_ENCODED_BYTES = 8
#: So many cuts of a text are looked at: it has one or two, unless somebody plays.
_MOST_CUTS = 16


def masked(text: str, values: Collection[str]) -> str:
    """Return a text without these values, and without their halves where it was cut."""
    found = sorted({way for value in values for way in ways(value)}, key=_longest)
    for way in found:
        text = text.replace(way, MASK)
    cuts = [cut.span() for cut in islice(clean.CUT.finditer(text), _MOST_CUTS)]
    for start, stop in reversed(cuts):
        before, mark, after = text[:start], text[start:stop], text[stop:]
        begun = max((_begun(before, way) for way in found), default=0)
        if begun:
            before = before[:-begun] + MASK
        if mark != clean.ELLIPSIS:
            ended = max((_ended(after, way) for way in found), default=0)
            after = MASK * bool(ended) + after[ended:]
        text = before + mark + after
    return text


@lru_cache(maxsize=1024)
def ways(value: str) -> tuple[str, ...]:
    """Return how a value may be written: as it is or encoded, whole and line by line.

    A key's lines are looked for one by one, since they may be wrapped otherwise, and
    with single blanks, since `clean.line` leaves no others.
    """
    found = set(_encoded(value.encode("utf-8", "surrogatepass")))
    for part in (value, *value.splitlines()):
        part = part.strip()
        flat = " ".join(clean.text(part).split())
        for plain in {part, flat}:
            found |= {plain, quote(plain, safe="", errors="replace")}
            found.add(json.dumps(plain)[1:-1])
            found.add(json.dumps(plain, ensure_ascii=False)[1:-1])
    return tuple(way for way in found if len(way) >= LEAST_CHARS)


def _encoded(raw: bytes) -> Iterator[str]:
    """Yield hex, and base64 as it is wherever the value begins within three bytes."""
    if len(raw) < _LEAST_ENCODED_BYTES:
        return
    yield from (raw.hex(), raw.hex().upper())
    for before, skipped in enumerate((0, 2, 3)):
        text = base64.b64encode(bytes(before) + raw).decode("ascii")
        whole = (before + len(raw)) * 8 // 6
        yield text[skipped:whole]
        yield text[skipped:whole].translate(str.maketrans("+/", "-_"))


def _begun(text: str, way: str) -> int:
    """Return how many characters of this way, and not all, stand at a text's end."""
    tail = text[-(len(way) - 1) :]
    at = tail.find(way[:LEAST_CHARS])
    while at >= 0 and not way.startswith(tail[at:]):
        at = tail.find(way[:LEAST_CHARS], at + 1)
    return len(tail) - at if at >= 0 else 0


def _ended(text: str, way: str) -> int:
    return _begun(text[: len(way) - 1][::-1], way[::-1])


def _longest(way: str) -> tuple[int, str]:
    return -len(way), way

"""Patterns of host names as Ansible writes them: ranges and ports; it knows no file."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence

#: So many names one pattern may stand for.
MOST_NAMES = 200_000
_PORT = re.compile(
    r"(?P<name>\[[0-9A-Fa-f:.]+\]|(?:\[[^\]]*\]|[^\[\]:])+):(?P<port>\d+)"
)
_RANGE = re.compile(r"\[([^\[\]]*)\]")
_ADDRESS = re.compile(r"\[([0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*)\]")


def parted(pattern: str) -> tuple[str, int | None]:
    """Return a pattern without its port, and the port."""
    found = _PORT.fullmatch(pattern)
    name, port = (found["name"], int(found["port"])) if found else (pattern, None)
    alone = _ADDRESS.fullmatch(name) if found else None
    return (alone[1] if alone else name), port


def expanded(pattern: str) -> Iterator[str]:
    """Yield the names that a pattern such as `db[01:10:3]-[a:c]` stands for.

    Raises:
        ValueError: a range is none, or they are too many.
    """
    texts, ranges, count, at = [], [], 1, 0
    for found in _RANGE.finditer(pattern):
        texts.append(pattern[at : found.start()])
        ranges.append(_range(found[1]))
        count *= len(ranges[-1])
        at = found.end()
        if count > MOST_NAMES:
            raise ValueError(
                f"{pattern[:80]} stands for more than {MOST_NAMES:,} hosts"
            )
    if set("[]") & set("".join([*texts, pattern[at:]])):
        raise ValueError(f"{pattern[:80]} has a range that is not closed")
    yield from _joined(texts, ranges, pattern[at:])


def _joined(
    texts: Sequence[str], ranges: Sequence[Sequence[str]], last: str
) -> Iterator[str]:
    heads = [""]
    for text, each in zip(texts, ranges, strict=True):
        heads = [head + text + name for head in heads for name in each]
    return (head + last for head in heads)


def _range(text: str) -> Sequence[str]:
    first, *more = text.split(":")
    if len(more) not in (1, 2) or not more[0]:
        raise ValueError(
            f"[{text[:40]}] is no range: it is [from:to] or [from:to:step]"
        )
    last, step = more[0], more[1] if len(more) == 2 else "1"
    first = first or "0"
    if not (step.isdecimal() and step.isascii() and 0 < len(step) < 7 and int(step)):
        raise ValueError(f"[{text[:40]}] has no step: it is a number above 0")
    letters = string.ascii_letters
    if len(first) == len(last) == 1 and first in letters and last in letters:
        found: Sequence[str] = letters[letters.index(first) : letters.index(last) + 1]
        found = found[:: int(step)]
    else:
        found = _numbers(text, first, last, int(step))
    if not found:
        raise ValueError(f"[{text[:40]}] is empty: it begins after its end")
    return found


def _numbers(text: str, first: str, last: str, step: int) -> Sequence[str]:
    for each in (first, last):
        if not (each.isdecimal() and each.isascii() and len(each) < 10):
            raise ValueError(f"[{text[:40]}] goes from a number to a number")
    wide = len(first) if first[0] == "0" and len(first) > 1 else 0
    if wide and wide != len(last):
        raise ValueError(f"[{text[:40]}] must have as many digits at both ends")
    span = range(int(first), int(last) + 1, step)
    if len(span) > MOST_NAMES:
        raise ValueError(f"[{text[:40]}] stands for more than {MOST_NAMES:,} hosts")
    return [str(number).zfill(wide) for number in span]

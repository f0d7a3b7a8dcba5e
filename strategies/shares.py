"""Counts and percentages as people write them, in exact integer arithmetic.

It knows numbers only: no float ever decides how many targets are touched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

#: One part in ten thousand: thresholds are kept in these.
BASIS_POINTS = 10_000
#: Two decimals, since a basis point is a hundredth of a percent.
_PERCENT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?\s*%")
_COUNT = re.compile(r"[0-9]{1,9}")
#: From 0 to 1, as the original module has its threshold.
_PART = re.compile(r"0(\.[0-9]{1,9})?|1(\.0{1,9})?")
#: No exponents: a short text must not become a number that fills the memory.
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
#: The longest duration that is read.
YEAR_SECONDS = 366 * 24 * 3600


@dataclass(frozen=True)
class Share:
    """A count of targets, or a part of them in basis points; exactly one is set."""

    count: int | None = None
    basis_points: int | None = None

    def floor(self, total: int) -> int:
        """Return how many of `total` this is, rounded down."""
        if self.count is not None:
            return min(self.count, total)
        return (self.basis_points or 0) * total // BASIS_POINTS

    def ceil(self, total: int) -> int:
        """Return how many of `total` this is, rounded up."""
        if self.count is not None:
            return min(self.count, total)
        return -(-(self.basis_points or 0) * total // BASIS_POINTS)

    def written(self) -> int | str:
        """Return the shortest form that `parse` reads back: 3 or "12.5%"."""
        if self.count is not None:
            return self.count
        whole, rest = divmod(self.basis_points or 0, 100)
        decimals = f".{rest:02d}".rstrip("0") if rest else ""
        return f"{whole}{decimals}%"


def parse(value: object, *, least: int = 0) -> Share:
    """Read a share such as 3, "3", "30%" or "12.5%".

    Args:
        value: what was typed or given.
        least: the smallest count that makes sense; 1 also rules out 0%.

    Raises:
        ValueError: with the sentence that says what would be right.
    """
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, int) and not isinstance(text, bool):
        return _counted(text, least)
    if isinstance(text, str) and _COUNT.fullmatch(text):
        return _counted(int(text), least)
    matched = _PERCENT.fullmatch(text) if isinstance(text, str) else None
    if matched is None:
        raise ValueError(f"must be a whole number or a percentage, not {value!r}")
    basis_points = int(matched[1]) * 100 + int((matched[2] or "").ljust(2, "0"))
    if not min(least, 1) <= basis_points <= BASIS_POINTS:
        lowest = "more than 0%" if least else "0%"
        raise ValueError(f"must be between {lowest} and 100%, not {text}")
    return Share(basis_points=basis_points)


def _counted(count: int, least: int) -> Share:
    if count < least:
        raise ValueError(f"must be at least {least}, not {count}")
    return Share(count=count)


def percent(value: object) -> Share:
    """Read a percentage, with or without its sign: 10, "10", "12.5%".

    Raises:
        ValueError: with the sentence that says what would be right.
    """
    text = str(value).strip()
    return parse(text if text.endswith("%") else f"{text}%")


def threshold(value: object) -> int:
    """Read a part of a whole in basis points: 0.95 or "95%" is 9,500.

    Raises:
        ValueError: with the sentence that says what would be right.
    """
    text = str(value).strip()
    if text.endswith("%"):
        return parse(text).basis_points or 0
    if isinstance(value, bool) or not _PART.fullmatch(text):
        raise ValueError(
            f'must be a part as 0.95, or a percentage as "95%", not {value!r}'
        )
    points = Fraction(text) * BASIS_POINTS
    if points.denominator != 1:
        raise ValueError(f"has more than two decimals of a percent: {value!r}")
    return int(points)


def seconds(value: object) -> float:
    """Read a duration in seconds, exact to the millisecond, from 0 to a year.

    Raises:
        ValueError: with the sentence that says what would be right.
    """
    text = value.strip() if isinstance(value, str) else value
    is_number = isinstance(text, int | float) and not isinstance(text, bool)
    if not is_number and not (isinstance(text, str) and _SECONDS.fullmatch(text)):
        raise ValueError(f"must be a number of seconds, not {value!r}")
    try:
        exact = Fraction(str(text))
    except (ValueError, OverflowError):  # not a number, infinity
        raise ValueError(f"must be a number of seconds, not {value!r}") from None
    if not 0 <= exact <= YEAR_SECONDS:
        raise ValueError(f"must be between 0 and {YEAR_SECONDS} seconds, not {value}")
    return round(exact * 1000) / 1000


def written_seconds(value: float) -> str:
    """Return a duration as it stands in a plan: decimal text, no float."""
    whole, milliseconds = divmod(round(value * 1000), 1000)
    return f"{whole}.{milliseconds:03d}".rstrip("0").rstrip(".")

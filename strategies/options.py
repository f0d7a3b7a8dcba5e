"""Reading options: typed or given, checked, and written back as a plan keeps them.

It knows values and sentences; it does not know what any option is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strategies import shares
from strategies.errors import InvalidOptions
from strategies.plan import OptionValue

#: No fleet is larger; a bound, so that no number typed by mistake can hang a page.
MOST = 1_000_000


class Checker:
    """Collects one sentence for each option that is wrong."""

    def __init__(self, options: object) -> None:
        self._options = options
        self.errors: dict[str, str] = {}

    def read(self, name: str, reader: Any, /, **bounds: Any) -> Any:
        """Read an option; on an error remember it and return None."""
        try:
            return reader(getattr(self._options, name), **bounds)
        except ValueError as error:
            self.errors[name] = str(error)
            return None

    def finish(self) -> None:
        """Raise InvalidOptions if anything was wrong."""
        if self.errors:
            raise InvalidOptions(self.errors)


def whole(value: object, *, least: int, most: int = MOST) -> int:
    """Read a whole number between two bounds.

    Raises:
        ValueError: with the sentence that says what would be right.
    """
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10:
        text = int(text)
    if isinstance(text, bool) or not isinstance(text, int):
        raise ValueError(f"must be a whole number, not {value!r}")
    if not least <= text <= most:
        raise ValueError(f"must be between {least} and {most}, not {text}")
    return text


def truth(value: object) -> bool:
    """Read a truth value: given as one, or typed as yes, no, true or false.

    Raises:
        ValueError: with the sentence that says what would be right.
    """
    if isinstance(value, bool):
        return value
    typed = value.strip().lower() if isinstance(value, str) else ""
    if typed not in _TRUTHS:
        raise ValueError(f"must be yes or no, not {value!r}")
    return _TRUTHS[typed]


_TRUTHS = {"yes": True, "true": True, "no": False, "false": False}


def optional(value: object, *, reader: Any, **bounds: Any) -> Any:
    """Read a value that may be left out: None or an empty text."""
    return None if value is None or value == "" else reader(value, **bounds)


def written(value: Any) -> OptionValue:
    if isinstance(value, float):
        return shares.written_seconds(value)
    if isinstance(value, list | tuple):
        return [written(item) for item in value]
    if isinstance(value, Mapping):
        raise TypeError("options are flat")
    option: OptionValue = value
    return option

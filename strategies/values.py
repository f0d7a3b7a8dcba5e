"""Frozen values with some fields changed; it does not know what any field means."""

from __future__ import annotations

from typing import Any, TypeVar

Value = TypeVar("Value")


def replace(value: Value, /, **changes: Any) -> Value:
    """Return a copy with fields changed, as `dataclasses.replace`, at a tenth its cost.

    The machine makes some twenty new values for each result that it folds. Only for
    frozen dataclasses without slots, without `__post_init__` and without cached
    properties, as `Progress`, `Tally` and the facts are.

    Raises:
        TypeError: if a name is no field.
    """
    content = value.__dict__ | changes
    if len(content) != len(value.__dict__):
        unknown = sorted(content.keys() - value.__dict__.keys())
        raise TypeError(f"{type(value).__name__} has no fields {unknown}")
    copy = object.__new__(type(value))
    object.__setattr__(copy, "__dict__", content)
    return copy

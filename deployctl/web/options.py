"""Which option of a strategy is which field of the builder, and what a field says.

It knows names and words; what is typed is the form's, and what is right the strategy's.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from strategies.base import CALLBACKS
from strategies.registry import explained_options, option_names

STRATEGIES = (
    ("rolling", "Rolling"),
    ("canary", "Canary"),
    ("blue_green", "Blue-green"),
)
#: What is chosen when nobody chose.
USUAL = "rolling"
#: The options that have no field, each with why. All others must have one.
LEFT_OUT = {
    "health": "a whole rule: each of its settings has a field",
    **dict.fromkeys(CALLBACKS, "a function: only who calls the library can give one"),
}
#: Options that strategies have in common by name alone: the builder proposes something
#: else for each, or each means its own, so each has a field.
_APART = {
    ("canary", "batch_size"): "canary_batch_size",
    ("canary", "max_failures"): "canary_max_failures",
    ("blue_green", "batch_size"): "blue_green_batch_size",
}


def fields_of(strategy: str) -> dict[str, str]:
    """Return the field of each option of a strategy, by the option's name."""
    return {
        option: _APART.get((strategy, option), option)
        for option in option_names(strategy)
        if option not in LEFT_OUT
    }


def as_fields(typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a `strategy` by their fields' names; what else is there stays.

    Templates, plans and people at a terminal know options; only the form knows fields.
    """
    fields = fields_of(str(typed.get("strategy", "")))
    return {fields.get(name, name): value for name, value in typed.items()}


@cache
def explanation(field: str, *, is_choice: bool) -> str:
    """Return what an option does and what it is when it is left open; "" for others.

    The words are those of the option itself, so that they are the same everywhere.
    """
    told = {
        strategy: options[option]
        for strategy, _ in STRATEGIES
        for option, name in fields_of(strategy).items()
        if name == field
        if option in (options := explained_options(strategy))
    }
    if not told:
        return ""
    first, *others = told.items()
    text, default = first[1].text, first[1].default
    if default in ("", "no"):  # The text says it, or the choice itself does.
        return text
    differ = [
        f", {strategy.replace('_', '-')} {each.default}"
        for strategy, each in others
        if each.default != default
    ]
    lead = "As usual" if is_choice else "Empty"
    usual = f"{lead}: {default}".replace(" ", "\N{NO-BREAK SPACE}")
    return f"{text} {usual}{''.join(differ)}."

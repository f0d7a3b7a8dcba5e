"""The options of strategies as `--help` lists them; it reads no value and no plan."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from strategies import names
from strategies.explained import Explained
from strategies.registry import explained_options

#: As wide as help is, and how far its second column is away.
_WIDTH, _INDENT = 80, " " * 8


def option_help() -> str:
    """Return what each option does: of all strategies first, then of each."""
    told = {name: explained_options(name) for name in names()}
    first, *others = told.values()
    common = {
        key: each
        for key, each in first.items()
        if all(other.get(key) == each for other in others)
    }
    parts = [_part("options of -o, for every strategy", common)]
    for name, options in told.items():
        own = {key: each for key, each in options.items() if key not in common}
        parts.append(_part(f"options of -o, for {name}", own))
    return "\n\n".join(parts)


def _part(title: str, options: dict[str, Explained]) -> str:
    return "\n".join(
        [f"{title}:", *(line for o in options.values() for line in _of(o))]
    )


def _of(option: Explained) -> Iterator[str]:
    default = f" ({option.default})" if option.default else ""
    yield f"  {option.name}{default}"
    yield textwrap.fill(
        option.text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT
    )

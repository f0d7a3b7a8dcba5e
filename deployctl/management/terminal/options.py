"""The options of strategies as `--help` lists them, and as they are typed.

It knows no value: what is right is the strategy's affair.
"""

from __future__ import annotations

import textwrap
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator

from django.core.management.base import CommandParser, DjangoHelpFormatter

from deployctl.management.terminal.base import Wrong
from strategies import names
from strategies.explained import Explained
from strategies.registry import explained_options

#: As wide as help is, and how far its second column is away.
_WIDTH, _INDENT = 80, " " * 8


class Help(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Help whose list of options keeps its lines."""


def add_options(parser: CommandParser) -> None:
    """Add the options of a strategy, and what each does below the rest."""
    parser.epilog = option_help()
    parser.formatter_class = Help
    parser.add_argument(
        "-o",
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the strategy, as often as there are; see below",
    )


def typed(pairs: Iterable[str]) -> dict[str, str]:
    """Return options as they were typed, by their names.

    Raises:
        Wrong: one has no value, or is said twice.
    """
    options: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise Wrong(f"-o {pair} has no value: write -o name=value.")
        if name in options:
            raise Wrong(f"-o {name} is said twice.")
        options[name] = value
    return options


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

"""What commands of a noun have in common: verbs, each with its own words.

It knows no noun; a command names its verbs, and a method for each.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import Any

from django.core.management.base import CommandParser

from deployctl.management.terminal.base import TerminalCommand
from deployctl.management.terminal.codes import Code


class NounCommand(TerminalCommand):
    """A command whose first word says what is done: `application add shop`."""

    #: Each verb with its help; the method of that name does it.
    verbs: dict[str, str]

    def add_arguments(self, parser: CommandParser) -> None:
        """Add a parser for each verb; `add_words` says what it takes."""
        made = parser.add_subparsers(dest="verb", required=True)
        for verb, text in self.verbs.items():
            one = made.add_parser(verb, help=text, description=text)
            super().add_arguments(one)
            self.add_words(verb, one)

    def add_words(self, verb: str, parser: CommandParser) -> None:
        """Add what a verb takes besides."""

    def act(self, options: dict[str, Any]) -> Code:
        """Do what the verb says."""
        verb = options["verb"]
        # A word of Python's own is no name of a method.
        getattr(self, f"{verb}_" if iskeyword(verb) else verb)(options)
        return Code.DONE

"""What every command that a person types does: options, errors, exit codes.

It knows no verb: what is done is each command's own file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection

from deployctl.management.base import OurCommand
from deployctl.management.terminal.codes import Code
from deployctl.management.terminal.screen import Screen, plain
from deployctl.services.people import NotAllowed
from deployctl.services.planning import Refused
from deployctl.services.replies import KeyReused
from strategies import InvalidOptions

#: As much as a form takes.
MOST_CHARACTERS = 1000
#: What Django raises when the database does not answer.
AWAY = (OperationalError, InterfaceError)


class Wrong(Exception):
    """What was asked for is not there, or not to be had; sentences, a line each."""


class Unheard(Exception):
    """No answer was heard; what was asked for may have been done."""


class TerminalCommand(OurCommand):
    """A command that answers in lines or in JSON, and ends with a `Code`."""

    #: What an error adds; a command that only looks has changed nothing anyway.
    nothing = " Nothing was changed."
    #: Errors of the services it asks that say themselves whether anything was changed.
    complete: tuple[type[Exception], ...] = (NotAllowed, Refused, KeyReused, Unheard)
    #: Errors that only say what is wrong with what was typed.
    mistakes: tuple[type[Exception], ...] = ()
    #: Options that may be longer, or have more lines; the command looks at them itself.
    prose: frozenset[str] = frozenset()
    screen: Screen

    def add_arguments(self, parser: CommandParser) -> None:
        """Add what all of them have; each extends this."""
        parser.add_argument(
            "--json", action="store_true", help="answer in JSON, one object a line"
        )

    def act(self, options: dict[str, Any]) -> Code:
        """Do it, and return how it went."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        """Act, and turn what goes wrong into a sentence and a code."""
        self.screen = Screen(
            self.stdout, self.stderr, is_json=options.get("json", False)
        )
        code = self._acted(options)
        if code is not Code.DONE:
            raise SystemExit(int(code))

    def _acted(self, options: dict[str, Any]) -> Code:
        try:
            self._refuse_what_is_no_text(options)
            return self.act(options)
        except KeyboardInterrupt:
            self.screen.note("Stopped. `manage.py status` says what has begun.")
            return Code.INTERRUPTED
        except BrokenPipeError:
            # Python flushes once more at its end; there is nobody to flush to.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return Code.NO_READER
        except InvalidOptions as error:
            raise CommandError(_by_option(error, self.nothing)) from None
        except Wrong as error:
            lines = map(plain, map(str, error.args))
            raise CommandError("\n".join(lines) + self.nothing) from None
        except self.complete as error:
            raise CommandError(plain(str(error))) from None
        except self.mistakes as error:
            said = plain(str(error)).rstrip(".")
            raise CommandError(f"{said}.{self.nothing}") from None
        except DatabaseError as error:
            connection.close()
            raise CommandError(database_words(error)) from None

    def _refuse_what_is_no_text(self, options: dict[str, Any]) -> None:
        """Refuse what no database keeps, and what no line can show."""
        for name, value in options.items():
            for text in () if name in self.prose else _texts(value):
                if not text.isprintable():
                    raise Wrong(
                        f"{name.capitalize()} has characters that are no text on one"
                        f" line: {text[:80]}."
                    )
                if len(text) > MOST_CHARACTERS:
                    raise Wrong(
                        f"{name.capitalize()} has {len(text):,} characters;"
                        f" {MOST_CHARACTERS:,} are the most."
                    )


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _by_option(error: InvalidOptions, nothing: str) -> str:
    lines = [f"  {plain(name)}: {plain(text)}" for name, text in error.errors.items()]
    return "\n".join([f"These options make no plan.{nothing}", *lines])


def database_words(error: Exception) -> str:
    """Return one sentence or two on a database that did not do what was asked."""
    first = plain(next(iter(str(error).splitlines()), ""))
    if isinstance(error, AWAY):
        return (
            f"The database does not answer: {first}. Start it, or say with DATABASE_URL"
            " where it is."
        )
    return (
        f"The database refused: {first}. If its tables are older than this program,"
        " `manage.py migrate` brings them up to date; `manage.py doctor` looks."
    )

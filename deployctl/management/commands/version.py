"""`manage.py version`: registers, lists and withdraws versions; deploys none."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployctl.models import Application, Version
from deployctl.queries import versions as queries
from deployctl.services import versions
from deployctl.services.people import NotAllowed, at_terminal

#: As many characters as the form takes, by field.
LONGEST = {"digest": 200, "notes": 4000, "ticket": 200}
#: So many lines are said of what is wrong in a file.
MOST_SAID = 20


class Command(BaseCommand):
    """Versions, one by one or from a file of JSON, all of it or nothing."""

    help = "Register, list and withdraw the versions of applications."

    def add_arguments(self, parser: CommandParser) -> None:
        """One verb, and what it is about."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb, text in (
            ("register", "Register a version; one that is there stays as it is."),
            ("withdraw", "Withdraw a version, so that no deployment of it starts."),
        ):
            one = verbs.add_parser(verb, help=text)
            one.add_argument("application")
            one.add_argument("version")
            one.add_argument("--by", help="who you are, if not by your login's name")
            if verb == "withdraw":
                one.add_argument("--reason", required=True, help="why; people see it")
            else:
                for name in LONGEST:
                    one.add_argument(f"--{name}", default="")
        file = verbs.add_parser(
            "import", help="Register all that a file lists, or nothing of it."
        )
        file.add_argument("file", help="a JSON list of objects; - for stdin")
        file.add_argument("--by", help="who you are, if not by your login's name")
        listed = verbs.add_parser(
            "list", help="Say which there are, and where they run."
        )
        listed.add_argument("application", nargs="?", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, or say why not."""
        verb = {
            "register": self.register,
            "withdraw": self.withdraw,
            "import": self.read,
            "list": self.list,
        }[options["verb"]]
        try:
            verb(options)
        except NotAllowed as error:
            raise CommandError(str(error)) from None
        except ValueError as error:
            raise CommandError(f"{error} Nothing was changed.") from None

    def register(self, options: dict[str, Any]) -> None:
        """Register one."""
        given = {name: options[name] for name in ("version", *LONGEST)}
        entry = checked({"application": options["application"], **given})
        row = versions.register_version(**entry, by=at_terminal(options["by"]))
        self.stdout.write(f"{row.application} {row} is registered.")

    def withdraw(self, options: dict[str, Any]) -> None:
        """Withdraw one, with its reason."""
        found = Version.objects.filter(
            application__name=options["application"], version=options["version"]
        ).first()
        if found is None:
            raise ValueError(
                f"{options['application']} has no version {options['version']}."
            )
        reason = " ".join(options["reason"].split())[:1000]
        if not reason:
            raise ValueError("Say why: a reason is needed.")
        row = versions.withdraw_version(
            found.pk, by=at_terminal(options["by"]), reason=reason
        )
        self.stdout.write(f"{row.application} {row} is withdrawn: {reason}")

    def read(self, options: dict[str, Any]) -> None:
        """Register all that a file lists."""
        entries, wrong = [], []
        for number, each in enumerate(entries_in(options["file"]), 1):
            try:
                entries.append(checked(each))
            except ValueError as error:
                wrong.append(f"entry {number}: {error}")
        if wrong:
            left = len(wrong) - MOST_SAID
            more = [f"and {left} more"] if left > 0 else []
            raise ValueError("\n".join([*wrong[:MOST_SAID], *more, ""]))
        by = at_terminal(options["by"])
        made = versions.register_versions(entries, by=by)
        there = len(entries) - made
        kept = f", {there} were there already" if there else ""
        self.stdout.write(f"{made} registered{kept}.")

    def list(self, options: dict[str, Any]) -> None:
        """Print a line for each, the newest first."""
        rows = list(queries.listed(application=options["application"]))
        where = queries.where(rows)
        for row in rows:
            runs = ", ".join(
                f"{each['count']} of {each['of']} in {each['environment']}"
                for each in where[row.pk]
            )
            state = f"withdrawn: {row.withdrawn_reason}" if row.withdrawn_at else runs
            self.stdout.write(f"{row.application} {row}: {state or 'runs nowhere'}.")


def entries_in(file: str) -> list[Any]:
    """Return what a file lists.

    Raises:
        ValueError: it cannot be read, or is no JSON list.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
        found = json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The file could not be read: {error}.") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"The file is no JSON: {error}.") from None
    if not isinstance(found, list):
        raise ValueError("The file must be a JSON list of objects.")
    return found


def checked(entry: Any) -> dict[str, Any]:
    """Return an entry as `register_version` takes it.

    Raises:
        ValueError: it is none; a whole sentence.
    """
    known = {"application", "version", *LONGEST}
    if not isinstance(entry, dict) or not entry.keys() <= known:
        raise ValueError(f"It must be an object with {', '.join(sorted(known))}.")
    texts = {name: entry.get(name, "") for name in sorted(known)}
    for name, text in texts.items():
        if not isinstance(text, str) or "\0" in text:
            raise ValueError(f"Its {name} must be a text.")
        if len(text) > LONGEST.get(name, 128):
            raise ValueError(
                f"Its {name} has more than {LONGEST.get(name, 128)} characters."
            )
    application = Application.objects.filter(name=texts["application"]).first()
    if application is None:
        raise ValueError(f"There is no application {texts['application']!r}.")
    versions.check_version(texts["version"])
    return {**texts, "application": application}

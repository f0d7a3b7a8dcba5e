"""`manage.py version`: registers, lists and withdraws versions; deploys none."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from deployctl.management.terminal import finding
from deployctl.management.terminal.base import Wrong
from deployctl.management.terminal.files import read_json
from deployctl.management.terminal.nouns import NounCommand
from deployctl.models import Application, Version
from deployctl.queries import versions as queries
from deployctl.services import versions
from deployctl.services.people import at_terminal

#: As many characters as the form takes, by field.
LONGEST = {"digest": 200, "notes": 4000, "ticket": 200}
#: The same of a reason.
LONGEST_REASON = 1000
#: So many lines are said of what is wrong in a file.
MOST_SAID = 20


class Command(NounCommand):
    """Versions, one by one or from a file of JSON, all of it or nothing."""

    help = "Register, list and withdraw the versions of applications."
    mistakes = (ValueError,)
    prose = frozenset({"notes", "reason"})

    verbs = {
        "register": "Register a version; one that is there stays as it is.",
        "withdraw": "Withdraw a version, so that no deployment of it starts.",
        "import": "Register all that a file lists, or nothing of it.",
        "list": "Say which there are, and where they run.",
    }

    def add_words(self, verb: str, parser: CommandParser) -> None:
        """Add which version, and what is said of it."""
        if verb == "list":
            parser.add_argument("application", nargs="?", default="")
            return
        if verb == "import":
            parser.add_argument("file", help="a JSON list of objects; - for stdin")
        else:
            parser.add_argument("application")
            parser.add_argument("version")
        parser.add_argument("--by", help="who you are, if not by your login's name")
        if verb == "withdraw":
            parser.add_argument("--reason", required=True, help="why; people see it")
        if verb == "register":
            for name in LONGEST:
                parser.add_argument(f"--{name}", default="")

    def register(self, options: dict[str, Any]) -> None:
        """Register one."""
        given = {name: options[name] for name in ("version", *LONGEST)}
        entry = checked({"application": options["application"], **given})
        row = versions.register_version(**entry, by=at_terminal(options["by"]))
        self.screen.record(told(row))
        self.screen.line(f"{row.application} {row} is registered.")

    def withdraw(self, options: dict[str, Any]) -> None:
        """Withdraw one, with its reason."""
        application = finding.application(options["application"])
        found = finding.version(application, options["version"])
        reason = " ".join(options["reason"].split())
        if not reason:
            raise Wrong("Say why: a reason is needed.")
        if not reason.isprintable() or len(reason) > LONGEST_REASON:
            raise Wrong(f"A reason is text, and at most {LONGEST_REASON:,} characters.")
        row = versions.withdraw_version(
            found.pk, by=at_terminal(options["by"]), reason=reason
        )
        self.screen.record(told(row))
        self.screen.line(
            f"{row.application} {row} is withdrawn: {row.withdrawn_reason}"
        )

    def import_(self, options: dict[str, Any]) -> None:
        """Register all that a file lists."""
        listed = read_json(options["file"])
        if not isinstance(listed, list):
            raise Wrong("The file must be a JSON list of objects.")
        entries, wrong = [], []
        for number, each in enumerate(listed, 1):
            try:
                entries.append(checked(each))
            except ValueError as error:
                wrong.append(f"entry {number}: {error}")
        if wrong:
            left = len(wrong) - MOST_SAID
            more = [f"and {left} more"] if left > 0 else []
            raise Wrong(*wrong[:MOST_SAID], *more, f"{len(wrong):,} are wrong.")
        by = at_terminal(options["by"])
        made = versions.register_versions(entries, by=by)
        there = len(entries) - made
        kept = f", {there} were there already" if there else ""
        self.screen.record({"registered": made, "there_already": there})
        self.screen.line(f"{made} registered{kept}.")

    def list(self, options: dict[str, Any]) -> None:
        """Print a line for each, the newest first."""
        name = options["application"]
        of = finding.application(name).name if name else ""
        rows = list(queries.listed(application=of))
        where = queries.where(rows)
        for row in rows:
            runs = [{**e, "environment": e["environment"].name} for e in where[row.pk]]
            said = ", ".join(
                f"{each['count']} of {each['of']} in {each['environment']}"
                for each in runs
            )
            state = f"withdrawn: {row.withdrawn_reason}" if row.withdrawn_at else said
            self.screen.record({**told(row), "runs": runs})
            self.screen.line(f"{row.application} {row}: {state or 'runs nowhere'}.")


def told(row: Version) -> dict[str, Any]:
    """Return a version for programs."""
    withdrawn_at = row.withdrawn_at
    return {
        "application": row.application.name,
        "version": row.version,
        **{name: getattr(row, name) for name in LONGEST},
        "withdrawn_at": withdrawn_at.isoformat() if withdrawn_at else None,
        "withdrawn_reason": row.withdrawn_reason or None,
    }


def is_text(text: str, *, lines: bool) -> bool:
    """Whether a text has nothing in it but what people read, on one line or more."""
    parts = text.splitlines() if lines else [text]
    return all(part.replace("\t", " ").isprintable() for part in parts)


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
        if not isinstance(text, str) or not is_text(text, lines=name == "notes"):
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

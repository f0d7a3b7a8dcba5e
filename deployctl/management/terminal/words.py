"""What may be typed next, for the completion of a shell; it runs no command.

Names come from the database and go to a shell: only those that need no quotes are said.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields

from django.core.management import get_commands, load_command_class

from deployctl.models import (
    Application,
    Deployment,
    Environment,
    SavedQuery,
    Version,
)
from deployctl.models.deployments import LIVE_STATES
from deployctl.queries.saved_forms import templates
from strategies import Health, create_strategy, names
from strategies.base import CALLBACKS

#: What no shell takes for anything but itself.
_PLAIN = re.compile(r"[A-Za-z0-9._+:@/=-]+")
#: So many are offered.
MOST = 200
_APP = "deployctl"

#: What was typed so far, by the names of a parser's arguments.
Typed = Mapping[str, str]


def words(line: str) -> list[str]:
    """Return what the last word of a line may become; nothing if that is anybody's.

    Args:
        line: from the program's name up to the cursor.
    """
    before, last = _split(line)
    found = _offered(before, last)
    fitting = {w for w in found if w.startswith(last) and _PLAIN.fullmatch(w)}
    return sorted(fitting)[:MOST]


def _split(line: str) -> tuple[list[str], str]:
    """Return the words behind the program's name, and the one that is being typed."""
    try:
        typed = shlex.split(line)
    except ValueError:  # Within quotes.
        return [], "\0"
    last = typed.pop() if typed and not line[-1].isspace() else ""
    return typed[1:], last


def _offered(before: list[str], last: str) -> Iterable[str]:
    ours = [name for name, app in get_commands().items() if app == _APP]
    if not before:
        return ours
    if before[0] not in ours:
        return []
    parser: argparse.ArgumentParser
    parser = load_command_class(_APP, before[0]).create_parser("manage.py", before[0])
    given = before[1:]
    verbs = _verbs(parser)
    if given and given[0] in verbs:
        parser, given = verbs[given[0]], given[1:]
    expected, typed = _read(parser, given)
    if last.startswith("-") or expected is None:
        return [word for each in parser._actions for word in _flags(each)]
    if expected.choices is not None:
        return map(str, expected.choices)
    lookup = LOOKUPS.get(expected.dest)
    return lookup(typed) if lookup else []


#: What Django gives each command: it says nothing of a deployment.
_DJANGOS = frozenset(
    {"--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback"}
    | {"--no-color", "--force-color", "--skip-checks"}
)


def _flags(action: argparse.Action) -> list[str]:
    own = [word for word in action.option_strings if word.startswith("--")]
    return [] if set(own) & _DJANGOS else own


def _verbs(
    parser: argparse.ArgumentParser,
) -> Mapping[str, argparse.ArgumentParser]:
    """Return the parser of each verb of a command; none if it has no verbs."""
    for each in parser._actions:
        if isinstance(each, argparse._SubParsersAction):
            return each.choices
    return {}


def _read(
    parser: argparse.ArgumentParser, given: list[str]
) -> tuple[argparse.Action | None, dict[str, str]]:
    """Return the argument that is to be typed next, and those that were."""
    flags = {word: each for each in parser._actions for word in each.option_strings}
    places = [each for each in parser._actions if not each.option_strings]
    typed: dict[str, str] = {}
    open_one: argparse.Action | None = None
    for word in given:
        if open_one is not None:
            typed[open_one.dest], open_one = word, None
        elif word in flags:
            takes = flags[word].nargs != 0
            open_one = flags[word] if takes else None
        elif places:
            typed[places.pop(0).dest] = word
    return open_one or next(iter(places), None), typed


def _applications(_: Typed) -> Iterable[str]:
    return Application.objects.order_by("name").values_list("name", flat=True)[:MOST]


def _environments(_: Typed) -> Iterable[str]:
    return Environment.objects.order_by("name").values_list("name", flat=True)[:MOST]


def _versions(typed: Typed) -> Iterable[str]:
    known = Version.objects.filter(
        application__name=typed.get("application"), withdrawn_at=None
    )
    return known.order_by("-pk").values_list("version", flat=True)[:MOST]


def _templates(typed: Typed) -> Iterable[str]:
    known = templates().filter(application__name=typed.get("application"))
    if "env" in typed:
        known = known.filter(environment__name=typed["env"])
    return known.values_list("name", flat=True)[:MOST]


def _queries(typed: Typed) -> Iterable[str]:
    known = SavedQuery.objects.filter(application__name=typed.get("application"))
    return known.order_by("name").values_list("name", flat=True)[:MOST]


def _deployments(typed: Typed) -> Iterable[str]:
    live = Deployment.objects.filter(state__in=LIVE_STATES).order_by("-pk")
    numbers = map(str, live.values_list("pk", flat=True)[:MOST])
    return [*numbers, *_applications(typed)]


def _options(typed: Typed) -> Iterable[str]:
    strategy = typed.get("strategy", names()[0])
    if strategy not in names():
        return []
    health = [f"health_{each.name}=" for each in fields(Health)]
    given = {each.name for each in fields(create_strategy(strategy))}
    return [*(f"{name}=" for name in given - {"health", *CALLBACKS}), *health]


#: Where the words for an argument come from, by its name in the parser.
LOOKUPS: Mapping[str, Callable[[Typed], Iterable[str]]] = {
    "application": _applications,
    "env": _environments,
    "environment": _environments,
    "version": _versions,
    "deployment": _deployments,
    "template": _templates,
    "query": _queries,
    "strategy": lambda _: names(),
    "option": _options,
}

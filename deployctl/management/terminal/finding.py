"""From names and numbers as typed to rows; nothing is changed here.

What is not there is answered with what is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from deployctl.management.terminal.base import Wrong
from deployctl.models import (
    Application,
    Deployment,
    Environment,
    SavedForm,
    SavedQuery,
    Target,
    Version,
)
from deployctl.models.deployments import LIVE_STATES
from deployctl.queries import room
from deployctl.queries.saved_forms import template_named, templates_of
from deployctl.queries.selecting import saved

#: A number of a row has fewer digits than this.
MOST_DIGITS = 16
#: So many names are said of those that there are.
MOST_NAMED = 5


def application(name: str) -> Application:
    """Return the application of a name.

    Raises:
        Wrong: there is none.
    """
    row = Application.objects.filter(name=name).first()
    if row is None:
        raise Wrong(_none("application", name, Application.objects.order_by("name")))
    return row


def environment(name: str) -> Environment:
    """Return the environment of a name.

    Raises:
        Wrong: there is none.
    """
    row = Environment.objects.filter(name=name).first()
    if row is None:
        raise Wrong(_none("environment", name, Environment.objects.order_by("name")))
    return row


def place(options: dict[str, Any]) -> tuple[Application, Environment]:
    """Return where a command acts: its `application` in its `--env`.

    Raises:
        Wrong: there is none of that name.
    """
    return application(options["application"]), environment(options["env"])


def _none(noun: str, name: str, rows: QuerySet[Any]) -> str:
    known = _there(rows.values_list("name", flat=True))
    return f"There is no {noun} {name}; {known}."


def version(of: Application, name: str) -> Version:
    """Return a version of an application; whether it was withdrawn is not asked here.

    Raises:
        Wrong: it is not registered.
    """
    known = Version.objects.filter(application=of)
    row = known.filter(version=name).first()
    if row is None:
        names = known.filter(withdrawn_at=None).order_by("-pk")
        newest = _there(names.values_list("version", flat=True))
        raise Wrong(
            f"{of} has no version {name}; {newest}. `manage.py version register` adds"
            " one."
        )
    return row


def template(of: Application, place: Environment, name: str | None) -> SavedForm | None:
    """Return the template of a place by its name; None if none was named.

    Raises:
        Wrong: there is none.
    """
    if name is None:
        return None
    row = template_named(of, place, name)
    if row is None:
        known = templates_of(of.pk, place.pk).values_list("name", flat=True)
        raise Wrong(f"{of} has no template {name} in {place}; {_there(known)}.")
    return row


def query(of: Application, name: str | None) -> SavedQuery | None:
    """Return the saved query of an application by its name; None if none was named.

    Raises:
        Wrong: there is none.
    """
    known = {row.name: row for row in saved(of.pk)}
    if name is None or name in known:
        return known.get(name or "")
    raise Wrong(f"{of} has no saved query {name}; {_there(known)}.")


def _there(names: Iterable[str]) -> str:
    known = list(names)
    if not known:
        return "there are none yet"
    more = ", .." if len(known) > MOST_NAMED else ""
    return f"there are {', '.join(known[:MOST_NAMED])}{more}"


def target(name: str, of: str | None, where: str | None) -> Target:
    """Return the one target of a name, in an application and an environment if said.

    Raises:
        Wrong: there is none, or more than one.
    """
    named = Target.objects.filter(name=name, removed_at=None).order_by("pk")
    named = named.filter(application__name=of) if of else named
    named = named.filter(environment__name=where) if where else named
    found = list(named.select_related("application", "environment")[:2])
    if len(found) != 1:
        how = "no" if not found else "more than one"
        raise Wrong(f"There is {how} target {name} there; say --app and --env.")
    return found[0]


def deployment(named: str, where: str | None, *, at_rest: bool = False) -> Deployment:
    """Return the deployment of a number, or the live one of an application.

    Args:
        named: a number, or an application's name.
        where: an environment's name; not needed where one is live only.
        at_rest: where none is live, the one that started last there will do.

    Raises:
        Wrong: there is none, it is of another place, or there is more than one.
    """
    place = environment(where) if where is not None else None
    if named.isascii() and named.isdigit():
        return _numbered(named, place)
    of = application(named)
    rows = _started(of, place)
    live = list(rows.filter(state__in=LIVE_STATES))
    found = live or (list(rows[:1]) if at_rest and place is not None else [])
    if len(found) > 1:
        said = ", ".join(f"{row.pk} in {row.environment}" for row in found)
        raise Wrong(f"More than one of {of} is live: {said}. Say --env.")
    if not found:
        at = f" in {place}" if place else ""
        says = "ever started" if at_rest and place else "is live"
        raise Wrong(f"No deployment of {of} {says}{at}; `manage.py history` has all.")
    return room.deployment(found[0].pk)


def _numbered(text: str, place: Environment | None) -> Deployment:
    try:
        if len(text) > MOST_DIGITS:
            raise Deployment.DoesNotExist
        row = room.deployment(int(text))
    except Deployment.DoesNotExist:
        raise Wrong(
            f"There is no deployment {text[:40]}; `manage.py history` has all."
        ) from None
    if place is not None and row.environment_id != place.pk:
        raise Wrong(f"Deployment {row.pk} is in {row.environment}, not in {place}.")
    return row


def _started(of: Application, place: Environment | None) -> QuerySet[Deployment]:
    rows = Deployment.objects.filter(application=of, started_at__isnull=False)
    rows = rows.filter(environment=place) if place else rows
    return rows.select_related("environment").order_by("-started_at")

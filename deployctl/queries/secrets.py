"""What may be seen of secrets: which are set, and who names them; never a value.

What is sealed is not even read here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from deployctl.models import Router, Secret, Target

#: Any text in the settings that is this very name, however deep. What settings mean is
#: the engine's affair; a word too many only keeps a secret that nobody needs.
_NAMES = "jsonb_path_exists({}.settings, '$.** ? (@ == $name)', %s::jsonb)"


def listed() -> QuerySet[Secret]:
    """Return all secrets, without what is sealed."""
    found = Secret.objects.defer("sealed").select_related("environment")
    return found.order_by("environment__name", "name")


def named_by(secret: Secret) -> list[str]:
    """Return who names a secret: targets and routers of its environment, in words.

    One for all environments is not named where an environment has its own.
    """
    targets = Target.objects.filter(removed_at=None)
    routers = Router.objects.all()
    return [
        *(f"target {row} in {row.environment}" for row in _of(targets, secret)),
        *(str(row) for row in _of(routers, secret)),
    ]


def _of(rows: QuerySet[Any], secret: Secret) -> Iterable[Any]:
    table = rows.model._meta.db_table
    names = RawSQL(_NAMES.format(table), [_variables(secret.name)])  # noqa: S611
    found = rows.annotate(names=names).filter(names=True)
    if secret.environment_id is not None:
        found = found.filter(environment_id=secret.environment_id)
    else:
        own = Secret.objects.filter(name=secret.name).exclude(environment=None)
        found = found.exclude(environment__in=own.values("environment"))
    return found.select_related("environment").order_by("pk")


def _variables(name: str) -> str:
    return '{"name": "%s"}' % name  # noqa: UP031  a name has no character to escape

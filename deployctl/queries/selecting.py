"""The targets that a query chooses, and the queries that were saved; it writes nothing.

What the words mean is `expression`'s affair. No index serves this: a fleet is read as a
whole by its place in any case, and an index of labels would cost each look at a target.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import BooleanField, F, Func, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from deployctl.models import Application, Environment, SavedQuery, Target
from deployctl.queries.expression import All, Either, Expression, Negation, Term, parse

#: The columns behind the fields; what a target does not have is the empty text.
_COLUMNS = {
    "name": "name",
    "slot": "slot",
    "version": "recorded_version",
    "kind": "driver",
    "health": "health",
    "disabled": "disabled_reason",
}


def selected(
    application: Application, environment: Environment, text: str
) -> list[int]:
    """Return the ids of the targets of a fleet that a query chooses, by name.

    Raises:
        ValueError: one sentence that says what is wrong with the query, and where.
    """
    chosen = fleet(application, environment).filter(condition(text))
    return list(chosen.order_by("name").values_list("pk", flat=True))


def chosen(application: Application, environment: Environment, where: str) -> list[int]:
    """Return the targets that a query chooses for a deployment, one at least.

    Raises:
        ValueError: as `selected`, and if there is none.
    """
    ids = selected(application, environment, where)
    if not ids:
        raise ValueError(
            f"No target of {application} in {environment} is like that, so there is"
            " nothing to plan. Change the query, or leave it empty for the whole fleet."
        )
    return ids


def fleet(application: Application, environment: Environment) -> QuerySet[Target]:
    """Return all targets of an application in an environment."""
    return Target.objects.filter(
        application=application, environment=environment, removed_at=None
    )


def condition(text: str) -> Q:
    """Return what a query asks, as a condition on targets.

    Raises:
        ValueError: one sentence that says what is wrong with the query, and where.
    """
    return _q(parse(text))


def _q(asked: Expression) -> Q:
    match asked:
        case Negation(of):
            return ~_q(of)
        case All(of):
            return Q(*map(_q, of))
        case Either(of):
            return Q(*map(_q, of), _connector=Q.OR)
        case Term(name, True, parts):
            return _of_label(name, parts)
        case Term(name, _, parts):
            return _of_field(_COLUMNS[name], parts)


def _of_label(name: str, parts: tuple[str, ...] | None) -> Q:
    if parts is None:
        return Q(labels__has_key=name)
    if len(parts) == 1:
        return Q(labels__contains={name: parts[0]})
    # Without the label its text is NULL, which a negation would not turn into truth.
    return Q(labels__has_key=name) & _like(KeyTextTransform(name, "labels"), parts)


def _of_field(column: str, parts: tuple[str, ...] | None) -> Q:
    if parts is None:
        return ~Q(**{column: ""}) & Q(**{f"{column}__isnull": False})
    value = Coalesce(F(column), Value(""))
    return _like(value, parts)


def _like(value: Combinable, parts: tuple[str, ...]) -> Q:
    """Return whether a text is these parts with any text between them."""
    pattern = "%".join(map(_literal, parts))
    return Q(
        Func(
            value,
            Value(pattern),
            template="(%(expressions)s)",
            arg_joiner=" LIKE ",
            output_field=BooleanField(),
        )
    )


def _literal(part: str) -> str:
    return part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def saved(application_id: int) -> list[SavedQuery]:
    """Return the queries that were saved for an application, by their names."""
    found = SavedQuery.objects.filter(application_id=application_id)
    return list(found.order_by("name"))


class Choice(NamedTuple):
    """One line of the select beside a query's text: choosing it fills the text."""

    text: str
    name: str
    is_saved: bool = False


def offered(queries: Iterable[SavedQuery], typed: str, empty: str) -> list[Choice]:
    """Return what to choose from: nothing, what was saved, what was typed besides.

    Args:
        queries: what was saved.
        typed: the text as it is.
        empty: what an empty text is called there.
    """
    known = [Choice(query.text, query.name, is_saved=True) for query in queries]
    own = typed and typed not in {each.text for each in known}
    return [
        Choice("", empty),
        *known,
        *([Choice(typed, "As typed")] if own else []),
    ]

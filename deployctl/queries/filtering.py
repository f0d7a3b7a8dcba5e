"""What a list of deployments is asked for, and how that is found among very many.

It knows columns and their indexes; how a row is shown it does not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.contrib.postgres.search import SearchQuery
from django.db.models import (
    BooleanField,
    Case,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)

from deployctl.models import Application, Deployment, Environment, Operation, Version

#: So many persons, versions or reasons that a word fits are named one by one, by which
#: each is found in an index. For more all deployments are walked through.
MOST_NAMED = 200
#: A word is in many more reasons than that if so many have it of so many of any age.
#: Where it is missed, in one of 20 reasons or so, to name them takes little.
_USUAL, _SAMPLE = 3, 100
#: A count goes no further: nobody turns so many pages, and counting reads each row.
MOST_COUNTED = 500
#: PostgreSQL reads no more of a word for its search.
_LONGEST_WORD = 100
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Filters:
    """What a list is asked for; empty texts ask for everything.

    `since` and `until` are days as 2026-01-31, both of them included, in UTC.
    """

    q: str = ""
    application: str = ""
    environment: str = ""
    state: str = ""
    strategy: str = ""
    since: str = ""
    until: str = ""

    @property
    def is_any(self) -> bool:
        """Whether anything is asked for."""
        return any(vars(self).values())


def listed(filters: Filters) -> QuerySet[Deployment]:
    """Return the deployments that are like that, the newest first.

    Of each only its number is read, which an index has: `whole` reads the rest.
    """
    return Deployment.objects.filter(_condition(filters)).only("pk").order_by("-pk")


def whole() -> QuerySet[Deployment]:
    """Return all deployments with what a list shows of them, the newest first."""
    # By the columns of the index on these: a return's have the same, and come later.
    first = Operation.objects.filter(
        deployment=OuterRef("pk"), direction="forward", target__isnull=False
    ).order_by("position")
    return (
        Deployment.objects.select_related(
            "application", "environment", "version", "created_by", "parent"
        )
        .defer("words", "parent__words")
        .annotate(from_version=Subquery(first.values("from_version")[:1]))
        .order_by("-pk")
    )


class Found:
    """The deployments that are like that, for a list of them; the first are known.

    So a page and how many there are cost one walk through all of them, and not two.
    """

    def __init__(self, filters: Filters) -> None:
        """Look up the numbers of the newest, `MOST_COUNTED` at most."""
        self._all = listed(filters).values_list("pk", flat=True)
        self._known = list(self._all[:MOST_COUNTED])
        self.is_more = len(self._known) == MOST_COUNTED

    @property
    def total(self) -> int:
        """How many there are, `MOST_COUNTED` at most."""
        return len(self._known)

    def older(self, before: int | None, most: int) -> list[Deployment]:
        """Return the next ones behind a number, or the newest; the newest first."""
        pks = [pk for pk in self._known if before is None or pk < before][:most]
        if self.is_more and len(pks) < most:
            last = self._known[-1]
            behind = last if before is None else min(before, last)
            pks += self._all.filter(pk__lt=behind)[: most - len(pks)]
        return list(whole().filter(pk__in=pks))

    def newer(self, after: int, most: int) -> list[Deployment]:
        """Return the next ones before a number; the oldest first."""
        pks: list[int] = []
        if self.is_more and after < self._known[-1]:
            between = self._all.filter(pk__gt=after, pk__lt=self._known[-1])
            pks += between.order_by("pk")[:most]
        pks += [pk for pk in reversed(self._known) if pk > after]
        return list(whole().filter(pk__in=pks[:most]).order_by("pk"))


def _condition(filters: Filters) -> Q:
    exact = {"state": filters.state, "strategy": filters.strategy}
    condition = Q(**{name: value for name, value in exact.items() if value})
    # By number, not by name: a join would hide the order of the index.
    for name, kind in (("application", Application), ("environment", Environment)):
        wanted = getattr(filters, name)
        if wanted:
            ids = kind.objects.filter(name=wanted).values_list("pk", flat=True)
            condition &= Q(**{f"{name}_id__in": list(ids)})
    for name, text, days in (("gte", filters.since, 0), ("lt", filters.until, 1)):
        day = _midnight(text, days)
        if day is not None:
            condition &= Q(**{f"created_at__{name}": day})
    return _search(filters.q, condition) if filters.q else condition


def _midnight(text: str, more_days: int) -> datetime | None:
    """Return when a day begins, or one after it; None if it is no day."""
    if not _DAY.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=more_days)
    except (ValueError, OverflowError):
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _search(q: str, condition: Q) -> Q:
    """Return what a word is found in: versions and persons by parts, reasons by words.

    Each is looked up by itself first. In one condition PostgreSQL would judge wrongly
    how many there are, of words above all.
    """
    versions = Version.objects.filter(version__icontains=q)
    people = User.objects.filter(username__icontains=q)
    named = _one_of("version_id", versions) | _one_of("created_by_id", people)
    says_so = Q(words=_query(q, " & "))
    # Of several words the index reads each by itself.
    if not _is_usual(Q(words=_query(q, " | "))):
        # No order: it would walk for them.
        rare = _few(Deployment.objects.filter(says_so).order_by())
        if rare is not None:
            return condition & (named | Q(pk__in=rare))
    return _walked(condition & (named | says_so))


def _is_usual(says_so: Q) -> bool:
    """Whether many reasons are like that: more, at least, than are named."""
    pks = Deployment.objects.order_by("-pk").values_list("pk", flat=True)
    newest = pks.first() or 0
    any_age = range(newest, 0, -(newest // _SAMPLE + 1))
    return pks.filter(_walked(says_so), pk__in=any_age).count() >= _USUAL


def _walked(condition: Q) -> Q:
    """Return a condition for which PostgreSQL walks through all, from the newest on.

    In a CASE it sees none for which another index would do, and believes that half of
    all are so. The index that it walks by has every column that is asked for: through
    100,000 deployments it takes 10 ms, whatever is found.
    """
    yes, no = Value(True), Value(False)
    return Q(Case(When(condition, then=yes), default=no, output_field=BooleanField()))


def _query(q: str, between: str) -> SearchQuery:
    """Return the query for reasons with words that begin like these."""
    words = [word[:_LONGEST_WORD] for word in q.split()]
    quoted = ["'" + re.sub(r"(['\\])", r"\1\1", word) + "':*" for word in words]
    return _InAnyOrder(between.join(quoted), search_type="raw", config="simple")


class _InAnyOrder(SearchQuery):
    """A query that asks only which words there are: no reason's are kept with a place.

    PostgreSQL asks for the parts of a word (CHG-7) one behind the other.
    """

    def as_sql(self, *args: Any, **more: Any) -> tuple[str, Any]:
        sql, params = super().as_sql(*args, **more)
        return f"replace(({sql})::text, '<->', '&')::tsquery", params


def _one_of(name: str, rows: QuerySet[Any]) -> Q:
    """Return the condition that a column is one of these, by number if they are few."""
    few = _few(rows)
    return Q(**{f"{name}__in": rows.values("pk") if few is None else few})


def _few(rows: QuerySet[Any]) -> list[int] | None:
    """Return the numbers of these; None if they are many."""
    pks = list(rows.values_list("pk", flat=True)[: MOST_NAMED + 1])
    return pks if len(pks) <= MOST_NAMED else None

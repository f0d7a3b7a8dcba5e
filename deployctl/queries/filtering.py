"""What a list of deployments is asked for, and how that is found among very many.

It knows columns and their indexes; how a row is shown it does not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.contrib.postgres.search import (
    SearchQuery,
    SearchVector,
    SearchVectorExact,
)
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
#: each is found in an index. More are sought from the newest deployment on.
MOST_NAMED = 1000
#: By twice as many it is judged whether a word is in most reasons.
_SAMPLE = 100
#: A count goes no further: nobody turns so many pages, and counting reads each row.
MOST_COUNTED = 500
#: PostgreSQL reads no more of a word for its search.
_LONGEST_WORD = 100
#: The words of a reason, as their index has them.
_WORDS = SearchVector("why", config="simple")
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
    """Return the deployments that are like that, the newest first."""
    # By the columns of the index on these: a return's have the same, and come later.
    first = Operation.objects.filter(
        deployment=OuterRef("pk"), direction="forward", target__isnull=False
    ).order_by("position")
    found = (
        Deployment.objects.select_related(
            "application", "environment", "version", "created_by", "parent"
        )
        .annotate(from_version=Subquery(first.values("from_version")[:1]))
        .order_by("-pk")
    )
    return found.filter(_condition(filters))


def counted(found: QuerySet[Deployment]) -> int:
    """Return how many there are, `MOST_COUNTED` at most."""
    # In the order of the list: it ends as soon as so many are found.
    return found.values("pk")[:MOST_COUNTED].count()


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
    return condition & _search(filters.q) if filters.q else condition


def _midnight(text: str, more_days: int) -> datetime | None:
    """Return when a day begins, or one after it; None if it is no day."""
    if not _DAY.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=more_days)
    except (ValueError, OverflowError):
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _search(q: str) -> Q:
    """Return what a word is found in: versions and persons by parts, reasons by words.

    Each is looked up by itself first. In one condition PostgreSQL would rather walk
    from the newest on, which is long where there is little to find.
    """
    versions = Version.objects.filter(version__icontains=q)
    people = User.objects.filter(username__icontains=q)
    named = _one_of("version_id", versions) | _one_of("created_by_id", people)
    says_so = SearchVectorExact(_WORDS, _query(q))
    if _is_usual(says_so):
        # Everybody says so: a page of it is found at once, and a list of all is long.
        return named | _walked(says_so)
    reasons = Deployment.objects.filter(says_so).order_by()
    return named | _one_of("pk", reasons, _walked(says_so))


def _is_usual(condition: SearchVectorExact) -> bool:
    """Whether most are like that: most of the newest, and most of some of any age."""
    pks = Deployment.objects.values_list("pk", flat=True)
    newest = pks.order_by("-pk").first() or 0
    recent = range(newest, max(0, newest - _SAMPLE), -1)
    any_age = range(newest, 0, -(newest // _SAMPLE + 1))
    are = set(pks.filter(_walked(condition), pk__in=[*recent, *any_age]))
    return all(
        2 * len(are.intersection(sample)) > len(sample) for sample in (recent, any_age)
    )


def _walked(condition: SearchVectorExact) -> Q:
    """Return a condition as PostgreSQL looks at it row by row, from the newest on.

    Of the bare one it believes that hardly any row is so, whatever the word, and so it
    would read its index, or sort all rows. Of a CASE it believes that half are.
    """
    yes, no = Value(True), Value(False)
    return Q(Case(When(condition, then=yes), default=no, output_field=BooleanField()))


def _query(q: str) -> SearchQuery:
    """Return the query for reasons with words that begin like these."""
    words = [word[:_LONGEST_WORD] for word in q.split()]
    quoted = ["'" + re.sub(r"(['\\])", r"\1\1", word) + "':*" for word in words]
    return SearchQuery(" & ".join(quoted), search_type="raw", config="simple")


def _one_of(name: str, rows: QuerySet[Any], among_many: Q | None = None) -> Q:
    """Return the condition that a column is one of these, by number if they are few."""
    ids = list(rows.values_list("pk", flat=True)[: MOST_NAMED + 1])
    if len(ids) <= MOST_NAMED:
        return Q(**{f"{name}__in": ids})
    return among_many or Q(**{f"{name}__in": rows.values("pk")})

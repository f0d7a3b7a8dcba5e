"""Whether what is stored is true, and came about as it should: each fact is looked at.

That it agrees with itself is asked of `queries.invariants`, as `manage.py doctor` does;
what is told here besides is how it came about.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from deployctl.models import Deployment, Operation, Target
from deployctl.queries import invariants
from deployctl.queries.plans import course_of, plan_of, progress_of
from strategies import folds
from strategies.messages import (
    AbortAsked,
    Held,
    OperationsMoved,
    Rested,
    Resumed,
    RollBackAsked,
    RollbackPlanned,
)
from strategies.progress import Progress
from strategies.states import (
    OPEN,
    OPERATION_TRANSITIONS,
    Direction,
    Kind,
    OperationState,
)

S = OperationState
FORWARD, RETURN = Direction.FORWARD, Direction.RETURN
#: A hold ends with one of these.
_LIFTS = (Resumed, AbortAsked, RollBackAsked)


class Story:
    """A deployment told again from its events alone, with an eye on every fact.

    Attributes:
        grid: the state of each operation, as a page that follows the events shows it.
        most_open: the most operations that were open at once.
        claims_while_held: how many claims came after a hold and before its end.
    """

    def __init__(self, course: Any) -> None:
        self.progress = Progress.begin(course)
        self.course = course
        positions = range(course.work + course.shifts)
        self.grid = {(FORWARD, position): S.PENDING for position in positions}
        self.touched: Counter[int] = Counter()
        self.most_open = 0
        self.claims_while_held = 0
        self._held = False

    def tell(self, at: Any, fact: Any) -> None:
        """Fold one fact."""
        before, self.progress = self.progress, folds.apply(self.progress, fact, at)
        if isinstance(fact, OperationsMoved):
            self._move(fact, before)
        elif isinstance(fact, RollbackPlanned):
            touched = sorted(p for p, count in self.touched.items() if count)
            shifts = [p for p in touched if p >= self.course.work]
            shifts = shifts[:1] if self.course.weighs else shifts
            targets = [p for p in touched if p < self.course.work]
            targets = targets if self.course.limits.returns_targets else []
            returned = [*targets, *shifts]
            assert fact.count == len(targets), "a return takes back what was touched"
            assert fact.shifts == len(shifts), "and leads traffic back"
            self.grid |= {(RETURN, position): S.PENDING for position in returned}
        elif isinstance(fact, Rested):
            assert not self.progress.open, "it came to rest with something open"
        self._held = (self._held or isinstance(fact, Held)) and not isinstance(
            fact, _LIFTS
        )
        self.most_open = max(self.most_open, self.progress.open)

    def _move(self, fact: OperationsMoved, before: Progress) -> None:
        after = S.PENDING if fact.now is S.RELEASED else fact.now
        for position in fact.positions:
            key = fact.direction, position
            assert self.grid[key] is fact.was, f"{key} was {self.grid[key]}: {fact}"
            self.grid[key] = after
        assert fact.now in OPERATION_TRANSITIONS[fact.was], fact
        claimed = fact.was is S.PENDING and fact.now is S.RUNNING
        if claimed and fact.was_available:
            assert self.progress.available >= before.floor, "a claim broke the floor"
        self.claims_while_held += claimed and self._held
        if fact.direction is FORWARD:
            given_back = fact.was is S.RUNNING and fact.now in (S.SKIPPED, S.RELEASED)
            changes = fact.effect is not Kind.VERIFY  # looking touches nothing
            for position in fact.positions:
                self.touched[position] += changes * (claimed - given_back)


def story(deployment_id: int) -> Story:
    """Tell a deployment from its stored events, without its rows."""
    row = Deployment.objects.get(pk=deployment_id)
    told = Story(course_of(row.plan_id))
    for at, facts in invariants.events(row):
        for fact in facts:
            told.tell(at, fact)
    return told


def check(deployment_id: int) -> Story:
    """Fail unless rows, tallies, columns and events say the same, now."""
    with invariants.snapshot():
        return _checked(Deployment.objects.get(pk=deployment_id))


def _checked(row: Deployment) -> Story:
    assert list(invariants.wrongs(row)) == []
    progress = progress_of(row)
    rows = list(Operation.objects.filter(deployment=row))
    told = story(row.pk)
    grid = {(Direction(o.direction), o.position): S(o.state) for o in rows}
    assert told.grid == grid, "the grid rebuilt from events differs from the rows"
    assert told.most_open <= progress.course.limits.parallelism
    assert told.claims_while_held == 0, "something was claimed while it was held"
    _check_available(row, progress, rows)
    return told


def _check_available(
    row: Deployment, progress: Progress, rows: list[Operation]
) -> None:
    plan = plan_of(row)
    if plan.router and plan.router.standby:
        return  # What stands by is counted when a return needs it, not all the time.
    ids = [int(t.id) for t in plan.targets] + [int(s.id) for s in plan.skipped]
    chosen = Target.objects.filter(pk__in=ids)
    if chosen.exclude(removed_at=None).exists():
        return  # Whether it was gone at the start is no longer to be seen.
    open_ones = {o.target_id for o in rows if o.state in OPEN}
    good = sum(t.health != "unhealthy" and t.pk not in open_ones for t in chosen)
    assert progress.available == good, "availability differs from the targets"

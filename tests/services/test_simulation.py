"""What the engine really does is what the in-memory machine said it would.

The same plans, the same outcomes, one operation a flush: the facts must be the same, in
the same order, on real PostgreSQL.
"""

from __future__ import annotations

import random
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deployctl.models import Deployment
from deployctl.queries.plans import plan_of
from strategies import wire
from strategies.errors import CommandRefused
from strategies.ledger import Ledger
from strategies.messages import Promote, RollBack, RollbackPlanned
from strategies.progress import Progress
from strategies.rows import Report
from strategies.states import Direction, Kind, OperationState
from tests.services.hands import Hands, said
from tests.services.slotted import prepare, slotted
from tests.support.fleet import Place, simulated

pytestmark = pytest.mark.django_db(transaction=True)
S = OperationState
T0 = datetime(2026, 1, 1, tzinfo=UTC)
#: So many plans in each of so many tests, which run beside each other.
PLANS, TESTS = 20, 10
#: Waits are cut by promoting in both; no clock is compared.
OPTIONS: dict[str, dict[str, list[Any]]] = {
    "rolling": {
        "batch_size": [1, 2, "50%", [1, 2]],
        "delay_seconds": [0],
        "max_failures": [0, 1, None],
        "min_healthy": [0, 1, 2],
        "retries": [0, 1],
        "on_failure": ["halt", "rollback", "freeze"],
        "max_failure_percent": [None, 50],
        "window": [False, True],
    },
    "canary": {
        "stages": ["25, 50, 100", "10, 100", "40, 60"],
        "stage_duration_seconds": [0, 3600],
        "success_threshold": ["100%", "50%"],
        "gates": [False, True],
        "retries": [0, 1],
        "on_failure": ["halt", "rollback"],
    },
    "blue_green": {
        "auto_promote": [False, True],
        "bake_seconds": [0, 3600],
        "max_failures": [0, 1],
        "retries": [0, 1],
        "on_failure": ["halt", "rollback"],
        "restore_idle": [False, True],
        "end_retention": [True],
    },
}
NOTHING_FAILS, SOME_FAIL = 0, 30


@pytest.mark.parametrize("nth", range(TESTS))
def test_the_engine_does_what_the_simulation_said(nth: int, tmp_path: Path) -> None:
    rng = random.Random(f"plans {nth}")
    folder = tmp_path
    for number in range(PLANS):
        strategy = rng.choice(list(OPTIONS))
        place = Place(simulated(rng.randint(2, 5)))
        if strategy == "blue_green":
            place = slotted(rng.randint(1, 3), folder)
        options = {name: rng.choice(v) for name, v in OPTIONS[strategy].items()}
        try:
            deployment = prepare(place, strategy, **options)
        except ValueError:
            continue  # A floor that leaves none to change: no plan, nothing to compare.
        Pair(place, deployment, rng, f"{nth}/{number} {strategy} {options}").run()


class Pair:
    """One plan in the journal and in memory, told the same."""

    def __init__(
        self, place: Place, deployment: Deployment, rng: random.Random, what: str
    ) -> None:
        self.place, self.deployment, self.what = place, deployment, what
        self.rng = rng
        self.percent = rng.choice([NOTHING_FAILS, SOME_FAIL, SOME_FAIL])
        self.ledger = Ledger(plan_of(deployment))

    def run(self) -> None:
        self.ledger.start(T0, self.place.by.label)
        self.place.start(self.deployment)
        hands = Hands(self.deployment)
        claims = hands.flush(check=False).claims
        shadows = self.ledger.flush([], T0, 1000)
        for _ in range(200):
            held = {(c.direction, c.position): c for c in claims}
            shown = {(c.direction, c.position): c for c in shadows}
            assert held.keys() == shown.keys(), self.what
            if not held:
                if not self.pressed():
                    break
                claims = hands.flush(check=False).claims
                shadows = self.ledger.flush([], T0, 1000)
                continue
            key = self.rng.choice(sorted(held))
            claim, shadow = held.pop(key), shown.pop(key)
            state = self.outcome(key[0])
            observed = {} if claim.kind is not Kind.SHIFT else {"observed": None}
            report = said(claim, state, **observed)
            mine = Report(*key, shadow.number, state, state is S.SUCCEEDED)
            claims = [*held.values(), *hands.flush(report, check=False).claims]
            shadows = [*shown.values(), *self.ledger.flush([mine], T0, 1000)]
        else:
            raise AssertionError(f"it never came to rest: {self.what}")
        self.compare()

    def outcome(self, direction: Direction) -> OperationState:
        bad = self.rng.randrange(100) < self.percent
        return S.FAILED if bad and direction is Direction.FORWARD else S.SUCCEEDED

    def pressed(self) -> bool:
        """Promote what waits, or take back what has failed; False if neither goes."""
        label = self.place.by.label
        for verb, command in (("promote", Promote), ("roll_back", RollBack)):
            reply = self.place.press(self.deployment, verb)
            try:
                granted = bool(self.ledger.command(command(label, ""), T0))
            except CommandRefused:
                granted = False
            assert (reply.status == "ok") is granted, (self.what, verb, reply)
            if granted:
                return True
        return False

    def compare(self) -> None:
        events = self.deployment.events.order_by("seq")
        real = [f for event in events for f in wire.load_facts(event.payload)]
        told = [fact for _, facts in self.ledger.events for fact in facts]
        assert [plain(f) for f in real] == [plain(f) for f in told], self.what
        self.deployment.refresh_from_db()
        assert self.deployment.progress is not None
        course = plan_of(self.deployment).course
        stored = wire.load_progress(self.deployment.progress, course)
        assert timeless(stored) == timeless(self.ledger.progress), self.what


def plain(fact: Any) -> Any:
    """Return a fact without what only one side knows: a hash, seconds of a clock."""
    if isinstance(fact, RollbackPlanned):
        return replace(fact, hash="")
    if hasattr(fact, "left_seconds"):
        return replace(fact, left_seconds=0)
    return fact


def timeless(progress: Progress) -> dict[str, Any]:
    """Return progress without its datetimes."""
    assert is_dataclass(progress)
    content = {f.name: getattr(progress, f.name) for f in fields(progress)}
    return {
        name: None if isinstance(value, datetime) else plain(value)
        for name, value in content.items()
    }

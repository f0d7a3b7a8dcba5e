"""A deployment at the door that lives through a simulated run, and is compared with it.

The world says what comes of each claim, the run only when; the database's clock is set
to that time. It knows no strategy and makes up nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any

import psycopg
from django.db import connection

from deployctl.models import Deployment
from deployctl.queries.plans import plan_of
from deployctl.services import watching
from deployctl.services.claims import Claim
from strategies import wire
from strategies.faults import World
from strategies.messages import (
    AbortAsked,
    Fact,
    GateDecided,
    Held,
    OperationsMoved,
    PromotedFully,
    Resumed,
    RollBackAsked,
    RollbackPlanned,
    Started,
    WaitCut,
)
from strategies.simulate import BY, EPOCH
from strategies.simulated import Simulated
from strategies.states import OPEN, Direction, Kind, OperationState
from tests.services.hands import Hands, said
from tests.support.fleet import Place

S = OperationState
#: What was pressed, by the fact that it left.
PRESSED: dict[type[Fact], str] = {
    Held: "pause",
    Resumed: "resume",
    AbortAsked: "abort",
    RollBackAsked: "roll_back",
    GateDecided: "promote",
    WaitCut: "promote",
    PromotedFully: "promote_fully",
}


class Clock:
    """The database's clock, as this connection sees it."""

    def set(self, at: datetime) -> None:
        """Let it be this time until told otherwise."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('virtual.now', %s, false)", [str(at)])


@contextmanager
def in_front(owner_url: str) -> Iterator[Clock]:
    """Put a clock in front of PostgreSQL's own, by its name alone, and take it away."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA virtual")
        owner.execute(
            "CREATE FUNCTION virtual.clock_timestamp() RETURNS timestamptz"
            " RETURN current_setting('virtual.now')::timestamptz"
        )
        owner.execute("GRANT USAGE ON SCHEMA virtual TO PUBLIC")
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET search_path = virtual, public, pg_catalog")
            made = Clock()
            made.set(EPOCH)
            yield made
        finally:
            connection.close()  # and its settings with it
            owner.execute("DROP SCHEMA virtual CASCADE")


class Engine:
    """One deployment at the door, told when what it holds ends."""

    def __init__(
        self,
        place: Place,
        deployment: Deployment,
        world: World,
        clock: Clock,
        what: str,
    ) -> None:
        self.place, self.deployment, self.world = place, deployment, world
        self.clock, self.what = clock, what
        self.hands = Hands(deployment)
        self.held: dict[tuple[Direction, int], Claim] = {}
        self.states: list[tuple[float, str]] = []

    def follow(self, run: Simulated) -> None:
        """Live through each event of a run, and compare what came of it."""
        for number, (at, facts) in enumerate(run.events, start=1):
            self.clock.set(at)
            self.bring_about(facts)
            event = self.deployment.events.order_by("seq").last()
            assert event is not None
            real = at_once(wire.load_facts(event.payload), self.place.by.label)
            assert (event.seq, event.at, real) == (number, at, at_once(facts)), (
                self.what
            )
            self.note(at)
        self.compare(run)

    def bring_about(self, facts: Sequence[Fact]) -> None:
        """Do what somebody outside the machine did for these facts to follow."""
        first = facts[0]
        if isinstance(first, Started):
            self.place.start(self.deployment)
        elif type(first) in PRESSED and getattr(first, "rule", None) is None:
            verb = PRESSED[type(first)]
            reply = self.place.press(self.deployment, verb)
            assert reply.status == "ok", (self.what, verb, reply)
        elif isinstance(first, OperationsMoved) and {first.was, first.now} == {
            S.SUCCEEDED,
            S.FAILED,
        }:
            self.look(facts)
        else:
            self.flush(facts)

    def flush(self, facts: Sequence[Fact]) -> None:
        """Report what ended now, with the outcome that the world has for it."""
        ended = [
            self.held.pop((fact.direction, position))
            for fact in facts
            if isinstance(fact, OperationsMoved) and fact.was in OPEN
            for position in fact.positions
        ]
        reports = [said(c, self.outcome(c), **learnt(c)) for c in ended]
        for claim in self.hands.flush(*reports, check=False).claims:
            self.held[claim.direction, claim.position] = claim

    def outcome(self, claim: Claim) -> OperationState:
        """Return what the world has for a claim."""
        if claim.state is S.UNKNOWN:
            return S.UNRESOLVED
        subject = "" if claim.kind is Kind.SHIFT else str(claim.subject_id)
        fault = self.world.hit(subject, claim.direction, claim.attempt)
        said = {"fails": S.FAILED, "hangs": S.UNKNOWN}
        return said.get(fault.effect, S.SUCCEEDED) if fault else S.SUCCEEDED

    def look(self, facts: Sequence[Fact]) -> None:
        """See the targets of these moves as they are said to be."""
        targets = plan_of(self.deployment).targets
        well = {
            int(targets[position].id): fact.now is S.SUCCEEDED
            for fact in facts
            if isinstance(fact, OperationsMoved) and S.FAILED in (fact.was, fact.now)
            for position in fact.positions
        }
        due = [d for d in watching.due(["simulated"], 1000, 0) if d.target_id in well]
        watching.keep([watching.Seen(d, well[d.target_id], d.version) for d in due])
        watching.regard(self.deployment.pk, {})

    def note(self, at: datetime) -> None:
        """Note the state, if it is another one."""
        self.deployment.refresh_from_db(fields=["state"])
        state = self.deployment.state
        if not self.states or self.states[-1][1] != state:
            self.states.append(((at - EPOCH).total_seconds(), state))

    def compare(self, run: Simulated) -> None:
        """Compare the whole, and see that nothing more would happen by itself."""
        self.hands.flush()
        self.deployment.refresh_from_db()
        assert self.deployment.seq == len(run.events), self.what
        assert self.states == [(at, s.value) for at, s in run.states], self.what
        content = self.deployment.progress
        assert content is not None
        stored = wire.load_progress(content, plan_of(self.deployment).course)
        hold = stored.hold and named(stored.hold, self.place.by.label)
        assert replace(stored, hold=hold) == run.progress, self.what
        assert (stored.halt, stored.state) == (run.halt, run.state), self.what


def learnt(claim: Claim) -> dict[str, Any]:
    """Return what a report adds: a router is not read back in these tests."""
    return {"observed": None} if claim.kind is Kind.SHIFT else {}


def at_once(facts: Sequence[Fact], label: str = BY) -> list[Fact]:
    """Return an event's facts, with moves of one instant in an order of their own.

    What ended at one instant has none: reports reach the door as they come, and it
    stores them by their ids. Moves are grouped, counted and judged as a whole, so the
    facts that follow them must not differ, and their order is compared as it is.
    """
    ordered: list[Fact] = []
    for moved, group in groupby(facts, key=lambda f: isinstance(f, OperationsMoved)):
        known = [named(fact, label) for fact in group]
        ordered += sorted(known, key=repr) if moved else known
    return ordered


def named(fact: Any, label: str) -> Any:
    """Return a fact without names that only one side has."""
    if isinstance(fact, RollbackPlanned):
        return replace(fact, hash="")  # of the database's ids
    return replace(fact, by=BY) if getattr(fact, "by", "") == label else fact

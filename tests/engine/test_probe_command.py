"""`manage.py probe`: real agents, asked from a terminal as a worker would ask them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployctl.models import Audit, Target
from deployctl.services import fleet
from tests.engine.drivers.agents import Agents
from tests.support.fleet import Place, agent_targets
from tests.terminal.typing import typed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """One target that is well, one that is not, and one on which nobody listens."""
    ill = {"health": {"argv": ["cat", "nothing-here"]}}
    running = Agents(tmp_path, {}, ill).start()
    gone = fleet.NewTarget("gone", "http://127.0.0.1:1", "agent")
    yield Place([*agent_targets(running, range(2)), gone])
    running.stop()


def test_it_says_what_came_of_it_and_keeps_nothing(place: Place) -> None:
    entries = Audit.objects.count()
    told = typed("probe", "a0")
    assert (told.code, told.err) == (0, "")
    assert told.out == f"a0 at {place.targets[0].address} runs 1.0 and is well\n"
    told = typed("probe", "a1", "--app", place.application.name)
    assert told.code == 1
    assert "runs 1.0 and is not well: cat: nothing-here: No such file" in told.out
    told = typed("probe", "gone", "--env", place.environment.name)
    assert told.code == 1
    assert "says no version and is not well: " in told.out
    assert "onnect" in told.out
    assert set(Target.objects.values_list("fence", "health")) == {(0, "unknown")}
    assert Audit.objects.count() == entries


def test_where_nobody_may_look_nothing_is_sent(place: Place) -> None:
    fleet.allow_addresses(place.environment, ["192.0.2.0/24"], by=place.by)
    told = typed("probe", "a0", "--json")
    assert told.code == 1
    assert told.out, told.err
    (record,) = told.records
    assert (record["target"], record["version"], record["healthy"]) == (
        *("a0", None, False),
    )
    assert "no network that this environment allows" in record["detail"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("a9",), "There is no target a9 there"),
        (("a0", "--env", "elsewhere"), "There is no target a0 there"),
        (("a0", "--seconds", "0"), "more than 0"),
        (("a0", "--seconds", "nan"), "more than 0"),
        (("made-up",), "kind simulated answer to no one else"),
    ],
)
def test_what_is_asked_wrongly_is_refused(words: tuple[str, ...], says: str) -> None:
    Place(
        [
            fleet.NewTarget("a0", "http://127.0.0.1:1", "agent"),
            fleet.NewTarget("made-up", "", "simulated"),
        ]
    )
    told = typed("probe", *words)
    assert (told.code, told.out) == (1, "")
    assert says in told.err

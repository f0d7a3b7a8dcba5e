"""Pause, resume, promote, abort, rollback, retry at a terminal: as buttons are."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployctl.models import Audit, Command, Deployment
from deployctl.services import fleet, versions
from strategies.states import OperationState
from tests.services.hands import Hands
from tests.services.slotted import started
from tests.support.fleet import Place, person, reached, simulated, until
from tests.terminal.typing import Said, beside, typed

pytestmark = pytest.mark.django_db(transaction=True)

BY = ("--by", "ana")


@pytest.fixture
def place() -> Place:
    return Place(simulated(4))


def halted(place: Place) -> Deployment:
    """Return one that has halted at its first target."""
    row = place.deploy(batch_size=1)
    hands = Hands(row)
    hands.finish(hands.claims(), OperationState.FAILED)
    return reached(row, "failed")


def at_gate(place: Place) -> Deployment:
    """Return a canary that waits at its first gate."""
    given = {"stages": "25, 50, 100", "gates": True, "stage_duration_seconds": 0}
    row = started(place, "canary", **given)
    Hands(row).run()
    return reached(row, "paused")


def place_of(row: Deployment) -> tuple[str, ...]:
    """Return the words for the live one of its place."""
    return str(row.application), "--env", str(row.environment)


def test_pause_and_resume_by_number_and_by_place(place: Place) -> None:
    row = place.deploy()
    paused = typed("pause", row.pk, *BY, "--reason", "a look")
    assert paused.code == 0
    assert f"Deployment {row.pk}: {row}. Paused: no further" in paused.out
    row.refresh_from_db()
    assert (row.state, (row.hold or {})["reason"]) == ("paused", "a look")
    again = typed("pause", *place_of(row), *BY)
    assert (again.code, "It is paused already." in again.out) == (0, True)
    assert typed("resume", *place_of(row), *BY).code == 0
    row.refresh_from_db()
    assert row.state == "in_progress"
    entry = Audit.objects.filter(action="deployment.paused").get()
    assert entry.source.startswith("terminal of ")


def test_a_pause_is_over_when_nothing_is_in_flight(place: Place) -> None:
    row = place.deploy(batch_size=2)
    hands = Hands(row)
    claims = hands.claims()
    command = beside("pause", row.pk, *BY, "--wait", "--json")
    until(lambda: Deployment.objects.get(pk=row.pk).hold)
    assert not command.ended(1), "two are in flight"
    hands.finish(claims)
    said = command.get()
    assert (said.code, said.records[-1]["waits_for"]) == (0, "hold")


def test_a_pause_that_came_too_late(place: Place) -> None:
    row = place.deploy(batch_size=4)
    hands = Hands(row)
    claims = hands.claims()
    command = beside("pause", row.pk, *BY, "--wait")
    until(lambda: Deployment.objects.get(pk=row.pk).hold)
    place.press(row, "abort")
    hands.finish(claims)
    assert command.get().code == 3


def test_promote_and_promote_fully(place: Place) -> None:
    row = at_gate(place)
    assert typed("promote", row.pk, *BY).code == 0
    Hands(row).run()
    reached(row, "paused")
    fully = typed("promote", row.pk, *BY, "--fully")
    assert (fully.code, "Promoted fully" in fully.out) == (0, True)
    Hands(row).run()
    reached(row, "completed")


def test_resuming_says_when_it_waits_for_a_person_again(place: Place) -> None:
    row = at_gate(place)
    place.press(row, "pause")
    said = typed("resume", row.pk, *BY, "--until-gate")
    assert said.code == 4
    assert f"Next: `manage.py promote {row.pk}`" in said.out


@pytest.mark.parametrize(
    ("on_failure", "verbs"), [("halt", ["rollback", "retry"]), ("freeze", ["retry"])]
)
def test_after_a_halt_only_what_may_be_typed_is_named(
    place: Place, on_failure: str, verbs: list[str]
) -> None:
    row = place.deploy(batch_size=1, on_failure=on_failure)
    Hands(row).run(failing=["t0"])
    said = typed("status", row.pk)
    typing = " or ".join(f"`manage.py {verb} {row.pk}`" for verb in verbs)
    assert f"Next: {typing}, or look at its room." in said.out


def test_abort_is_waited_for_to_its_rest(place: Place) -> None:
    row = place.deploy(batch_size=2)
    hands = Hands(row)
    claims = hands.claims()
    command = beside("abort", row.pk, *BY, "--wait", "--reason", "wrong one")
    until(lambda: Deployment.objects.get(pk=row.pk).intent)
    hands.finish(claims)
    said = command.get()
    assert said.code == 0
    assert "ana aborted it: “wrong one”" not in said.out, "told by its answer already"
    reached(row, "failed")


def test_roll_back_what_has_halted_by_its_place(place: Place) -> None:
    row = halted(place)
    command = beside("rollback", *place_of(row), *BY, "--wait")
    reached(row, "rolling_back")
    Hands(row).run()
    said = command.get()
    assert said.code == 0
    assert f"Deployment {row.pk}: rolled back after" in said.out


def test_a_completed_one_is_taken_back_by_its_number_alone(place: Place) -> None:
    row = place.deploy()
    Hands(row).run()
    refused = typed("rollback", *place_of(row), *BY)
    assert refused.code == 1
    assert f"name it: `manage.py rollback {row.pk}`. Nothing was" in refused.err
    assert Deployment.objects.count() == 1
    versions.register_version(place.application, "1.0", by=place.by)
    command = beside("rollback", row.pk, *BY, "--wait")
    back = until(lambda: Deployment.objects.filter(parent=row).first())
    assert back is not None
    Hands(back).run()
    said = command.get()
    assert said.code == 0
    assert f"Deployment {back.pk}: {back} started: it takes {row.pk} back." in said.out


def test_retry_is_a_new_one_that_is_linked(place: Place) -> None:
    row = halted(place)
    said = typed("retry", row.pk, *BY, "--json")
    (made,) = said.records
    assert (made["parent"], made["state"], made["exit_code"]) == (
        row.pk,
        "in_progress",
        0,
    )
    assert typed("retry", made["deployment"], *BY).code == 1


def test_what_has_changed_in_between_is_refused(place: Place) -> None:
    row = at_gate(place)
    (seen,) = typed("status", row.pk, "--json").records
    place.press(row, "pause")
    place.press(row, "resume")
    said = typed("promote", row.pk, *BY, "--expect", seen["control_version"])
    assert said.code == 1
    assert "has moved since" in said.err
    assert Deployment.objects.get(pk=row.pk).state == "paused"
    (now,) = typed("status", row.pk, "--json").records
    assert typed("promote", row.pk, *BY, "--expect", now["control_version"]).code == 0


def test_each_has_a_key_of_its_own(place: Place) -> None:
    row = place.deploy()
    for verb in ("pause", "resume", "pause", "resume"):
        assert typed(verb, row.pk, *BY).code == 0
    assert Command.objects.filter(deployment=row).count() == 4


def refused(said: Said, says: str) -> None:
    """Fail unless it was refused with this sentence, in plain characters."""
    assert said.code == 1
    assert says in said.err
    assert said.out == ""
    assert all(line.isprintable() for line in said.err.splitlines())


VERBS = ("pause", "resume", "promote", "abort", "rollback", "retry")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("999999", "There is no deployment 999999"),
        ("9" * 40, f"There is no deployment {'9' * 40}"),
        ("-1", "There is no application -1"),
        ("٣", "There is no application ٣"),
        ("nowhere", "There is no application nowhere"),
        ("a\0b", "Deployment has characters"),
        ("\x1b[2J", "line: \\x1b[2J."),
        ("", "There is no application "),
    ],
)
def test_a_deployment_that_is_not_there(verb: str, named: str, says: str) -> None:
    person()
    refused(typed(verb, *BY, "--", named), says)
    assert not Audit.objects.exists()


@pytest.mark.parametrize("verb", VERBS)
def test_who_may_only_look_presses_nothing(place: Place, verb: str) -> None:
    row = halted(place) if verb in ("rollback", "retry") else place.deploy()
    before = row.seq
    person("bo", staff=False)
    refused(typed(verb, row.pk, "--by", "bo"), "bo may look but not")
    row.refresh_from_db()
    assert row.seq == before


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        ("pause", "there is nothing to pause"),
        ("resume", "there is nothing to resume"),
        ("promote", "there is nothing to promote"),
        ("abort", "there is nothing to abort"),
        ("retry", "No target of it failed: nothing to retry."),
    ],
)
def test_what_is_over_is_left_alone(place: Place, verb: str, says: str) -> None:
    row = place.deploy()
    Hands(row).run()
    refused(typed(verb, row.pk, *BY), says)


def test_a_number_of_another_place(place: Place, tmp_path: Path) -> None:
    other, row = Place(simulated(1)), place.deploy()
    name = other.environment.name
    said = typed("pause", row.pk, "--env", name, *BY)
    refused(said, f"Deployment {row.pk} is in {row.environment}, not in {name}.")
    refused(
        typed("pause", row.application, "--env", name, *BY),
        f"No deployment of {row.application} is live in {name}",
    )


def test_one_that_is_live_in_two_environments(place: Place) -> None:
    row = place.deploy()
    place.environment = Place(simulated(1)).environment
    fleet.add_targets(place.application, place.environment, simulated(2), by=place.by)
    other = place.deploy()
    said = typed("pause", row.application, *BY)
    both = f"{other.pk} in {other.environment}, {row.pk} in {row.environment}"
    refused(said, f"{both}. Say --env.")
    assert typed("pause", *place_of(other), *BY).code == 0
    assert Deployment.objects.get(pk=row.pk).state == "in_progress"


@pytest.mark.parametrize("reason", ["a\nb", "a\0b", "\x1b[31mred", "\u202eredro"])
def test_a_reason_that_no_line_can_show(place: Place, reason: str) -> None:
    row = place.deploy()
    refused(typed("pause", row.pk, *BY, "--reason", reason), "Reason has characters")
    assert Deployment.objects.get(pk=row.pk).hold is None


def test_that_nobody_works_is_said_and_since_when(place: Place) -> None:
    row = place.deploy()
    none = typed("pause", row.pk, *BY)
    assert none.err.startswith("No worker beats: deployments wait.")
    hands = Hands(row)
    assert typed("resume", row.pk, *BY).err == ""
    hands.die()
    assert "No worker beats since 20" in typed("status", row.pk).err

"""`manage.py deploy`: a plan is shown, simulated, started, followed."""

from __future__ import annotations

import json

import pytest
from django.core.management import load_command_class

from deployctl.models import Audit, Command, Deployment, Plan, Target, Version
from deployctl.services import versions
from strategies import names
from strategies.registry import explained_options
from strategies.states import OperationState
from tests.services.hands import Hands
from tests.services.hands import said as report
from tests.support.fleet import Place, person, reached, simulated
from tests.terminal.typing import QUICK, beside, newest, registered, typed, worked

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place() -> Place:
    return Place(simulated(6))


def test_a_plan_is_shown_and_nothing_is_touched(place: Place) -> None:
    words = registered(place)
    entries = Audit.objects.count()
    said = typed(*words, "-o", "batch_size=2", "--plan")
    assert said.code == 0
    assert "Rolling: 6 of 6 targets to 2.0 in 3 batches, at most 2 at once." in said.out
    assert "  from 1.0: 6 targets\n" in said.out
    assert "  batch 2: 2 targets, t2 .. t3; the fleet's budget\n" in said.out
    assert "It waits 40 s at least." in said.out
    assert not Deployment.objects.exists()
    assert not Plan.objects.exists()
    assert Audit.objects.count() == entries


def test_the_stages_and_warnings_of_a_canary_are_shown(place: Place) -> None:
    more = ("--strategy", "canary", "-o", "stages=50, 100", "-o", "gates=yes")
    said = typed(*registered(place), *more, "--plan")
    assert "  stage 1: 50 %, 3 targets, tolerates 0, then bakes 1 min" in said.out
    assert "asks a person" in said.out
    whole = typed(*registered(place), "-o", "batch_size=100%", "--plan")
    assert "Mind this. The first batch is the whole work set" in whole.out


def test_help_explains_every_option_once() -> None:
    """In the words that the builder and the manual have."""
    parser = load_command_class("deployctl", "deploy").create_parser("manage.py", "x")
    said = " ".join(parser.format_help().split())
    for name in names():
        for option in explained_options(name).values():
            default = f" ({option.default})" if option.default else ""
            assert f" {option.name}{default} {option.text}" in said, option
    assert said.count("health_interval_seconds") == 1


def test_only_what_a_query_chooses_is_deployed_to(place: Place) -> None:
    words = registered(place)
    said = typed(*words, "--where", "name=t1 | name=t4", "--plan")
    assert "Rolling: 2 of 2 targets to 2.0" in said.out
    for query, says in (
        ("name=nobody", "--where: "),
        ("zone=", "--where: "),
        ("(", "--where: "),
        ("", "--where: "),
    ):
        wrong = typed(*words, "--where", query)
        assert (wrong.code, says in wrong.err) == (1, True), (query, wrong.err)
        assert "Nothing was started." in wrong.err
    assert not Deployment.objects.exists()


def test_a_plan_for_programs_has_the_hash_that_is_started(place: Place) -> None:
    words = [*registered(place), *QUICK]
    (plan,) = typed(*words, "--plan", "--json").records
    assert (plan["work"], plan["selected"], plan["blast_radius"]) == (6, 6, 1)
    other = typed(*words, "--hash", "0" * 64)
    assert other.code == 1
    assert f"The plan is {plan['hash']} now" in other.err
    assert not Deployment.objects.exists()
    assert typed(*words, "--hash", plan["hash"]).code == 0
    assert newest().plan_id == plan["hash"]


def test_a_simulation_says_its_end_its_time_and_its_reach(place: Place) -> None:
    words = [*registered(place), "-o", "batch_size=2", *QUICK, "--simulate"]
    well = typed(*words, "--takes", "10")
    assert "a change takes 10 s: completed after 30 s.\n" in well.out
    bad = typed(*words, "--broken", "3", "--takes", "10")
    assert "Halted: 1 failed, 0 tolerated, of 6, after 10 s." in bad.out
    assert "It touches 2 targets, 33.3 % of those selected" in bad.out
    (run,) = typed(*words, "--broken", "100%", "--json").records
    assert (run["state"], run["touched"], run["halt"]["rule"]) == (
        "failed",
        2,
        "max_failures",
    )
    assert not Deployment.objects.exists()


def test_it_starts_and_says_where_it_is(place: Place) -> None:
    said = typed(*registered(place), "--why", "T-7")
    row = newest()
    assert said.code == 0
    assert f"Deployment {row.pk}: {row} started, 6 targets.\n" in said.out
    assert f"\n/deployments/{row.pk}/\n" in said.out
    assert (row.state, row.why, row.created_by.username) == (
        "in_progress",
        "T-7",
        "ana",
    )
    assert Command.objects.filter(deployment=row).count() == 1


def test_public_url_stands_before_the_path(place: Place, settings) -> None:
    settings.PUBLIC_URL = "https://deploy.example.com"
    said = typed(*registered(place))
    assert f"https://deploy.example.com/deployments/{newest().pk}/" in said.out


def test_the_end_is_waited_for_and_told_event_by_event(place: Place) -> None:
    command = beside(*registered(place), *QUICK, "-o", "batch_size=3", "--wait")
    row = worked(place)
    said = command.get()
    assert said.code == 0
    for text in ("ana started it", "Batch 1 of 2 began", "Batch 2 of 2 finished: 3 ok"):
        assert said.out.count(text) == 1, text
    assert f"Deployment {row.pk}: completed after" in said.out
    assert "  2.0: 6 targets run it.\n" in said.out
    assert "\x1b" not in said.out


def test_a_failure_is_another_code_and_says_why(place: Place) -> None:
    command = beside(*registered(place), *QUICK, "--wait")
    row = worked(place, failing=("t0",))
    said = command.get()
    assert said.code == 3
    assert f"Deployment {row.pk}: halted after" in said.out
    assert "Halted: 1 failed, 0 tolerated, of 6" in said.out
    assert f"`manage.py rollback {row.pk}` or `manage.py retry {row.pk}`" in said.out


def test_what_a_target_said_is_told_and_moves_no_cursor(place: Place) -> None:
    row = place.deploy("2.0", batch_size=2, max_failures=0)
    hands = Hands(row)
    claims = hands.claims()
    error = "deadline: 404 \x1b[2J" + "x" * 500 + "\nmore of it"
    hands.flush(*(report(c, OperationState.FAILED, error=error) for c in claims))
    out = typed("status", row.pk).out
    assert "  Halted: 1 failed, 0 tolerated, of 6\n" in out
    (line,) = [each for each in out.splitlines() if each.startswith("  t0: ")]
    assert line.startswith(r"  t0: deadline: 404 \x1b[2J")
    assert len(line) < 180
    assert "more of it" not in out
    assert "  and 1 target more failed; its room has all\n" in out
    assert "  Untouched: 4 targets were never claimed.\n" in out


def test_one_that_rolls_back_by_itself_is_not_as_asked(place: Place) -> None:
    more = ("-o", "on_failure=rollback", "--wait", "--json")
    command = beside(*registered(place), *QUICK, *more)
    hands = Hands(newest())
    back = hands.finish(hands.claims(), OperationState.FAILED).claims
    hands.finish(back)
    said = command.get()
    assert said.code == 3
    *seen, last = said.records
    assert (last["state"], last["exit_code"]) == ("rolled_back", 3)
    numbers = [each["seq"] for each in seen]
    assert numbers == sorted(set(numbers))
    assert all("exit_code" not in each for each in seen)


def test_tolerated_failures_are_done(place: Place) -> None:
    more = ("-o", "max_failures=1", "--wait", "--json")
    command = beside(*registered(place), *QUICK, *more)
    worked(place, failing=("t0",))
    said = command.get()
    assert said.code == 0
    assert said.records[-1]["outcome"] == "completed_with_failures"


def test_a_gate_is_waited_for_unless_one_asks_to_stop_there(place: Place) -> None:
    more = ("--strategy", "canary", "-o", "stages=50,100", "-o", "gates=yes")
    bakes = ("-o", "stage_duration_seconds=0", "-o", "health_min_healthy_seconds=0")
    command = beside(*registered(place), *more, *bakes, "--until-gate", "--json")
    row = newest()
    hands = Hands(row)
    hands.run()
    said = command.get()
    assert said.code == 4
    assert said.records[-1]["waits_for"] == "gate"
    waiting = beside("promote", row.pk, "--by", "ana", "--wait")
    reached(row, "in_progress")
    hands.run()
    told = waiting.get()
    assert (told.code, "Promoted: it goes on" in told.out) == (0, True)


def test_nothing_to_do_is_done(place: Place) -> None:
    words = registered(place, "1.0")
    assert "All 6 targets run 1.0 already.\n" in typed(*words, "--plan").out
    said = typed(*words, "--wait", "--json")
    assert (said.code, said.records[-1]["outcome"]) == (0, "no_op")
    one = typed(*words, "--plan", "--where", "name=t0").out
    assert "1 target runs 1.0 already.\n" in one.replace("\N{NO-BREAK SPACE}", " ")


def test_options_that_make_no_plan_are_one_line_each(place: Place) -> None:
    wrong = ("batch_size=none", "health_interval_seconds=0", "window=maybe")
    pairs = [word for each in wrong[:2] for word in ("-o", each)]
    said = typed(*registered(place), *pairs)
    assert said.code == 1
    first, *lines = said.err.splitlines()
    assert first == "These options make no plan. Nothing was started."
    assert [line.split(":")[0] for line in lines] == ["  health_interval_seconds"]
    assert (
        "  window: must be yes or no" in typed(*registered(place), "-o", wrong[2]).err
    )
    assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["-o", "batch_size"], "-o batch_size has no value"),
        (["-o", "=3"], "-o =3 has no value"),
        (["-o", "retries=1", "-o", "retries=2"], "-o retries is said twice"),
        (["-o", "colour=red"], "  colour: is not an option of this strategy"),
        (["-o", "health_colour=red"], "  health_colour: is not a health setting"),
        (["-o", "health=5"], "  health: must be settings by their names"),
        (["-o", f"batch_size={10**30}"], "  batch_size: must be a whole number"),
        (["-o", "min_healthy=6"], "  min_healthy: 6 of 6 targets leaves none"),
        (["--strategy", "hope"], "  strategy: 'hope' is not one of rolling"),
        (["--strategy", "blue_green"], "has no router"),
        (["--simulate", "--broken", "half"], "  broken: must be a whole number"),
        (["--simulate", "--takes", "-1"], "  takes: must be a number of seconds"),
        (["--why", "one\ntwo"], "Why has characters that are no text on one line"),
        (["--why", "\x1b[2J"], "line: \\x1b[2J. Nothing was started."),
        (["--why", "x" * 1001], "Why has 1,001 characters; 1,000 are the most."),
        (["-o", "batch_size=\0"], "Option has characters"),
        (["--by", "nobody"], "There is no account nobody"),
        (["--hash", "12"], "The plan is "),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_started(
    place: Place, more: list[str], says: str
) -> None:
    said = typed(*registered(place), *more)
    assert said.code == 1
    assert says in said.err
    assert said.out == ""
    assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    ("at", "name", "says"),
    [
        (1, "nowhere", "There is no application nowhere; there are place-"),
        (1, "a\nb", "Application has characters"),
        (1, "a\x1b]0;x\x07", "line: a\\x1b]0;x\\x07."),
        (1, "\udcff", "line: \\udcff."),
        (2, "9.9", "has no version 9.9; there are 2.0. `manage.py version reg"),
        (2, "x" * 5000, "Version has 5,000 characters"),
        (4, "nowhere", "There is no environment nowhere; there are place-"),
        (4, "a\0b", "Env has characters"),
    ],
)
def test_names_that_are_not_there(place: Place, at: int, name: str, says: str) -> None:
    words = registered(place)
    words[at] = name
    said = typed(*words)
    assert said.code == 1
    assert says in said.err
    assert "Nothing was started." in said.err
    assert all(line.isprintable() for line in said.err.splitlines())


def test_a_version_that_was_withdrawn(place: Place) -> None:
    words = registered(place)
    row = Version.objects.get(version="2.0")
    versions.withdraw_version(row.pk, by=place.by, reason="it \x1b[31mburns")
    said = typed(*words)
    assert said.code == 1
    assert "Version 2.0 was withdrawn: it \\x1b[31mburns. Choose another" in said.err


def test_one_is_live_already(place: Place) -> None:
    assert typed(*registered(place)).code == 0
    said = typed(*registered(place))
    assert said.code == 1
    assert f"Deployment {newest().pk} by ana is live in" in said.err
    assert Deployment.objects.count() == 1


def test_who_may_only_look_starts_nothing(place: Place) -> None:
    person("bo", staff=False)
    said = typed(*registered(place), "--by", "bo")
    assert said.code == 1
    assert "bo may look but not" in said.err
    assert not Deployment.objects.exists()


def test_a_name_from_elsewhere_never_reaches_the_terminal_raw(place: Place) -> None:
    Target.objects.filter(name="t0").update(name="t0\x1b[2J\u202e")
    said = typed(*registered(place), "--plan")
    assert "t0\\x1b[2J\\u202e" in said.out
    assert json.dumps(said.out).count("\\u001b") == 0

"""The plan's hash: stable, and sensitive to exactly what changes the effect."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from strategies.health import Health
from strategies.plan import PLAN_FORMAT, Candidate
from strategies.rolling import RollingDeployment
from tests.strategies.worlds import fleet, plan_of

ROOT = Path(__file__).parents[2]


def planned(targets=None, version="v2", digest="d", **options):
    """Return a plan of three."""
    chosen = fleet(3) if targets is None else targets
    return RollingDeployment(**options).plan(chosen, version, digest)


def test_C10_same_inputs_same_bytes():
    """Planned twice, a plan is the same to the byte."""
    assert planned().canonical() == planned().canonical()


def test_C10_the_hash_is_the_same_tomorrow():
    """The hash of a fixed plan never changes while its format does not."""
    assert PLAN_FORMAT == 1
    known = "7a7b3da4e8d4cb35f20c1e0bf3b0c2afbf9a020de1d7619ee28a9acb73951570"
    assert planned(batch_size=2, delay_seconds=2.5).hash == known


GOLDEN = (
    '{"course":{"kind":"Course","limits":{"apply_seconds":"300","floor":1,"health":'
    '{"deadline_seconds":"300","failure_threshold":3,"initial_delay_seconds":"0",'
    '"interval_seconds":"0.5","kind":"Health","min_healthy_seconds":"10",'
    '"success_threshold":1,"timeout_seconds":"5"},"kind":"Limits","max_failures":1,'
    '"on_failure":"rollback","parallelism":1,"progress_seconds":"600",'
    '"require_all":false,"retries":1,"settle_seconds":"300"},"selected":4,"steps":'
    '[{"delay_seconds":"2.5","kind":"Deploy","max_failure_bp":3000,"parallelism":1,'
    '"sizes":[1,1],"start":0,"stop":3}],"work":3},"format":1,"options":'
    '{"apply_seconds":"300","batch_size":[1,"50%"],"delay_seconds":"2.5",'
    '"force":false,"health_check":null,"max_failure_percent":30,"max_failures":1,'
    '"max_unavailable":null,"min_healthy":"25%","on_failure":"rollback",'
    '"parallelism":null,"progress_seconds":"600","require_all":false,"retries":1,'
    '"settle_seconds":"300","window":false},"skipped":[["c","already_at_version"]],'
    '"strategy":"rolling","targets":[["b",null,"blue","d1"],["a","v1",null,""],'
    '["d","v0",null,""]],"version":"v2","version_digest":"sha256:x"}'
)


def test_C10_the_canonical_form_of_a_rolling_plan():
    """The bytes of a plan made before there were stages and slots, and their hash."""
    selected = [
        Candidate("a", "v1"),
        Candidate("b", None, healthy=False, slot="blue", driver_digest="d1"),
        Candidate("c", "v2"),
        Candidate("d", "v0"),
    ]
    plan = RollingDeployment(
        [1, "50%"],
        2.5,
        min_healthy="25%",
        max_failures=1,
        max_failure_percent=30,
        retries=1,
        on_failure="rollback",
        health=Health(interval_seconds=0.5),
    ).plan(selected, "v2", "sha256:x")
    known = "072a6c0891bfb6a2612712c9951a07e74e885553101d3e69c05a146a5beef778"
    assert (plan.canonical(), plan.hash) == (GOLDEN, known)


@pytest.mark.parametrize(
    "other",
    [
        {"version": "v3"},
        {"digest": "e"},
        {"targets": fleet(4)},
        {"targets": fleet(3)[::-1]},
        {"targets": [*fleet(2), Candidate("t2", "v0")]},
        {"targets": [*fleet(2), Candidate("t2", "v1", slot="blue")]},
        {"targets": [*fleet(2), Candidate("t2", "v1", driver_digest="x")]},
        {"targets": [*fleet(2), Candidate("t2", "v2")]},
        {"batch_size": 2},
        {"delay_seconds": 6},
        {"max_failures": 1},
        {"on_failure": "rollback"},
        {"retries": 1},
        {"health": Health(interval_seconds=2)},
        {"force": True},
    ],
    ids=str,
)
def test_K1_the_hash_sees_what_changes_the_effect(other):
    """Targets, order, versions, slots, drivers, digest and options are all in it."""
    assert planned(**other).hash != planned().hash


@pytest.mark.parametrize(
    "other",
    [
        {"delay_seconds": 5},
        {"delay_seconds": "5.0"},
        {"health": Health(interval_seconds=5.0)},
        {"progress_seconds": 600},
        {"targets": [Candidate(c.id, c.version, healthy=False) for c in fleet(3)]},
        {"targets": [*fleet(3), *fleet(1)]},
    ],
    ids=str,
)
def test_the_hash_does_not_see_the_rest(other):
    """The same duration in other words, health, and notices change nothing."""
    assert planned(**other).hash == planned().hash


def test_notices_are_not_hashed():
    """They explain, and do nothing."""
    plan = planned()
    assert replace(plan, notices=("hello",)).hash == plan.hash


def test_no_float_in_the_canonical_form():
    """No float decides, none is written: sorted keys, durations as text."""

    def forbidden(text):
        raise AssertionError(f"a float: {text}")

    text = plan_of(3, delay_seconds=0.125).canonical()
    content = json.loads(text, parse_float=forbidden)
    assert list(content) == sorted(content)


def test_the_core_is_standard_library_alone():
    """Everything in it imports with no installed package in sight."""
    names = sorted(p.stem for p in (ROOT / "strategies").glob("*.py"))
    modules = [f"strategies.{n}" for n in names if n != "__init__"]
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import strategies, " + (
        ", ".join(modules)
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)

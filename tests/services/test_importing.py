"""Importing: what is previewed is what is done, or nothing; and there and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployctl.engine.targets import problems
from deployctl.inventories import formats
from deployctl.inventories.rows import LABEL, NAME, Inventory
from deployctl.models import Audit, Target
from deployctl.queries import exported, selecting
from deployctl.services import fleet, importing
from deployctl.services.changing import Moved
from deployctl.services.fleet import InUse, NewTarget, driver_digest
from deployctl.services.importing import Import, Wrong
from deployctl.services.people import NotAllowed
from tests.inventories.test_tables import JSON, TEXT
from tests.support.fleet import Place, person, simulated

pytestmark = pytest.mark.django_db(transaction=True)


def file(text: str, format: str = "csv") -> Inventory:
    """Return what a file says."""
    return formats.read(text.encode(), format)


def bring(place: Place, text: str, format: str = "csv", **more: Any) -> Import:
    """Import a file as somebody who may."""
    where = place.application, place.environment
    inventory = formats.read(text.encode(), format, more.pop("settings", ""))
    given = {"by": place.by, **more}
    return importing.import_targets(*where, inventory, problems, **given)


def look(place: Place, text: str, **more: Any) -> Import:
    """Return what importing would do."""
    where = place.application, place.environment
    return importing.preview(*where, file(text), problems, **more)


def rows(place: Place) -> list[Any]:
    """Return all of a fleet as it is stored."""
    found = Target.objects.filter(application=place.application)
    return list(found.order_by("name").values())


def fields(found: Import) -> dict[str, list[tuple[str, Any, Any]]]:
    """Return what is changed, by name."""
    return {change.name: change.fields() for change in found.changed}


def test_what_is_new_changed_same_and_missing_is_told_apart() -> None:
    place = Place(simulated(3))
    text = (
        "name,kind,settings.version,settings.latency_seconds,label.zone\n"
        't0,simulated,"""1.0""",,\n'
        't1,simulated,"""1.0""",2,eu\n'
        "new,simulated,,,us\n"
    )
    found = look(place, text)
    assert [change.name for change in found.added] == ["new"]
    assert fields(found) == {
        "t1": [("label.zone", None, "eu"), ("settings.latency_seconds", None, 2)]
    }
    assert (found.same, found.missing, found.disabled) == (1, ["t2"], [])


def test_a_preview_changes_nothing_and_the_import_does_what_it_said() -> None:
    place = Place(simulated(2))
    before = rows(place)
    text = "name,kind,label.zone\nt0,simulated,eu\nnew,simulated,us\n"
    seen = look(place, text)
    assert rows(place) == before
    bring(place, text, seen=seen.digest)
    row = Target.objects.get(name="new")
    assert (row.driver, row.labels, row.settings) == ("simulated", {"zone": "us"}, {})
    assert row.driver_digest == driver_digest("simulated", "", {})
    assert row.health == "unknown"
    assert Target.objects.get(name="t0").labels == {"zone": "eu"}
    assert Target.objects.get(name="t1").labels == {}
    entry = Audit.objects.get(action="targets.imported")
    assert entry.after == {
        "application": place.application.name,
        "added": 1,
        "changed": 1,
        "disabled": 0,
        "added_targets": ["new"],
        "changed_targets": ["t0"],
    }
    again = bring(place, text)
    assert (again.same, again.added, again.changed) == (2, [], [])
    assert Audit.objects.filter(action="targets.imported").count() == 1


def test_what_the_file_is_silent_about_stays() -> None:
    new = NewTarget(
        *("a", "http://a:1", "agent", {"token": "t"}, {"zone": "eu", "x": "y"}),
        recorded_version="1.0",
        slot="blue",
    )
    place = Place([new])
    before = rows(place)
    bring(place, "name,label.zone\na,us\n")
    (after,) = rows(place)
    assert after == {**before[0], "labels": {"zone": "us", "x": "y"}}
    bring(place, "name,slot,label.x,settings.token,address\na,,,,http://b:1\n")
    (after,) = rows(place)
    assert (after["slot"], after["labels"], after["settings"]) == (
        *(None, {"zone": "us"}),
        {},
    )
    assert after["driver_digest"] == driver_digest("agent", "http://b:1", {})


def test_a_pinned_host_key_outlives_the_next_import_of_an_inventory() -> None:
    place = Place([])
    text = "[web]\na ansible_user=x\n"
    bring(place, text, "ansible-ini", settings="key=deploy")
    pinned = {"host_key": "ssh-ed25519 AAAA", "key": "deploy"}
    Target.objects.update(settings=pinned)
    bring(place, text + "[db]\na\n", "ansible-ini", settings="key=deploy")
    row = Target.objects.get()
    assert row.settings == pinned
    assert row.labels == {"web": "yes", "db": "yes"}
    assert row.address == "ssh://x@a"


def test_a_recorded_version_is_a_deployments_alone() -> None:
    place = Place(simulated(1))
    found = bring(place, "name,kind,version\nt0,simulated,2.0\nnew,simulated,2.0\n")
    assert found.versions_kept == 1
    assert Target.objects.get(name="t0").recorded_version == "1.0"
    assert Target.objects.get(name="new").recorded_version == "2.0"


def test_what_is_missing_is_disabled_only_when_that_is_asked() -> None:
    place = Place(simulated(3))
    text = "name\nt0\n"
    assert bring(place, text).missing == ["t1", "t2"]
    assert not Target.objects.exclude(disabled_reason="").exists()
    found = bring(place, text, disable_missing=True)
    assert [change.name for change in found.disabled] == ["t1", "t2"]
    reasons = Target.objects.exclude(disabled_at=None).values_list("disabled_reason")
    assert set(reasons) == {("is not in the file that was imported",)}
    assert bring(place, text, disable_missing=True).disabled == []


def test_a_target_that_was_removed_begins_anew() -> None:
    place = Place(simulated(1))
    at = "2026-01-01T00:00Z"
    seen = {"health": "unhealthy", "looks": -2, "looked_at": at, "fence": 7}
    seen |= {"observed_version": "0.9", "observed_at": at}
    Target.objects.update(removed_at=at, labels={"old": "yes"}, **seen)
    found = bring(place, "name,kind,label.zone\nt0,simulated,eu\n")
    assert [change.name for change in found.added] == ["t0"]
    row = Target.objects.get()
    assert (row.removed_at, row.labels, row.settings) == (None, {"zone": "eu"}, {})
    assert (row.health, row.looks, row.looked_at) == ("unknown", 0, None)
    assert (row.observed_version, row.observed_at) == (None, None)
    assert row.fence == 7, "the host may remember it"
    assert row.pk == place.targets[0].pk  # What was done there is still known.


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name\nnew\n", "line 2, kind: is needed for a new target"),
        ("name,kind\nnew,teapot\n", "line 2, kind: 'teapot' is not one of agent"),
        ("name,kind\nnew,agent\n", "line 2, address: is needed"),
        (
            "name,address,kind\nnew,ssh://h,ssh\n",
            "line 2, address: must be ssh://user@",
        ),
        ("name,kind,settings.x\nnew,simulated,1\n", "line 2, settings.x: is not a"),
        ("name,settings.down\nt0,7\n", "line 2, settings.down: is not a setting"),
        ("name,kind\nt0,agent\n", "line 2, address: is needed"),
        ("name\nt0\n-\n", "line 3, name: must begin"),
    ],
)
def test_one_mistake_and_nothing_is_changed(text: str, says: str) -> None:
    place = Place(simulated(1))
    before = rows(place)
    good = "ok,simulated" if ",kind\n" in text else ""
    with pytest.raises(Wrong) as refused:
        bring(place, text + good)
    assert str(refused.value.problems.first[0]).startswith(says)
    assert rows(place) == before
    assert not Audit.objects.filter(action="targets.imported").exists()


def test_problems_come_in_the_order_of_the_file_and_all_are_counted() -> None:
    place = Place([])
    lines = [f"n{n},teapot" if n % 2 else "-,agent" for n in range(300)]
    with pytest.raises(Wrong) as refused:
        look(place, "name,kind\n" + "\n".join(lines))
    found = refused.value.problems
    numbers = [problem.line for problem in found.first]
    assert numbers == sorted(numbers)
    assert len(found.first) == 100
    assert found.count > 299


def test_the_judge_is_asked_once_for_what_is_equal() -> None:
    asked = []

    def judge(kind: str, address: str, given: Mapping[str, object]) -> dict[str, str]:
        asked.append((kind, address, dict(given)))
        return {}

    place = Place(simulated(1))
    lines = [f"n{n},simulated,0.5" for n in range(50)]
    text = "name,kind,settings.latency_seconds\n" + "\n".join(lines)
    where = place.application, place.environment
    importing.preview(*where, file(text), judge)
    assert asked == [("simulated", "", {"latency_seconds": 0.5})]


def test_who_may_only_look_imports_nothing() -> None:
    place = Place(simulated(1))
    with pytest.raises(NotAllowed):
        bring(place, "name,kind\nx,simulated\n", by=person("charlie", staff=False))
    assert len(rows(place)) == 1


def test_a_fleet_that_moved_since_is_shown_anew() -> None:
    place = Place(simulated(2))
    text = "name,label.zone\nt0,eu\nt1,eu\n"
    seen = look(place, text).digest
    Target.objects.filter(name="t1").update(labels={"zone": "eu"})
    with pytest.raises(Moved, match="Nothing was changed"):
        bring(place, text, seen=seen)
    assert Target.objects.get(name="t0").labels == {}


def test_whose_name_somebody_has_just_added_is_not_overwritten() -> None:
    place = Place([])
    judged: list[Any] = []

    def meddling(*asked: Any) -> dict[str, str]:
        """Another person adds it between the look and the write."""
        if not judged:
            judged.append(asked)
            where = place.application, place.environment
            fleet.add_targets(*where, [NewTarget("x", "", "simulated")], by=place.by)
        return {}

    where = place.application, place.environment
    found = file("name,kind,label.zone\nx,simulated,eu\n")
    with pytest.raises(Moved, match="has just added"):
        importing.import_targets(*where, found, meddling, by=place.by)


def test_what_a_live_deployment_acts_on_keeps_its_address_and_not_its_labels() -> None:
    place = Place(simulated(2))
    deployment = place.deploy()
    with pytest.raises(InUse, match=f"Deployment {deployment.pk} is live"):
        bring(place, "name,address\nt0,there\n")
    bring(place, "name,label.zone\nt0,eu\n")
    assert Target.objects.get(name="t0").labels == {"zone": "eu"}


def test_true_is_not_one() -> None:
    place = Place([NewTarget("a", "", "simulated", {"unhealthy_versions": [], "x": 1})])
    found = importing.preview(
        *(place.application, place.environment),
        file("name,settings.x\na,true\n"),
        lambda *_: {},
    )
    assert fields(found) == {"a": [("settings.x", 1, True)]}


TARGETS = st.lists(
    st.builds(
        NewTarget,
        name=st.from_regex(NAME, fullmatch=True),
        address=TEXT,
        driver=st.sampled_from(["agent", "simulated", "gone"]),
        settings=st.dictionaries(TEXT.map(str.strip), JSON, max_size=3),
        labels=st.dictionaries(st.from_regex(LABEL, fullmatch=True), TEXT, max_size=3),
        recorded_version=st.none() | st.from_regex(NAME, fullmatch=True),
        slot=st.none() | st.sampled_from(["", "blue", " ", "=x"]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda new: new.name,
)


@pytest.mark.django_db
@pytest.mark.parametrize("format", formats.WRITTEN)
def test_what_is_exported_and_imported_again_changes_nothing(format: str) -> None:
    """And into another fleet it makes the same one."""

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(TARGETS)
    def check(targets: list[NewTarget]) -> None:
        here, there = Place(targets), Place([])
        found = selecting.fleet(here.application, here.environment)
        text = "".join(formats.written(exported.rows(found), format))
        inventory = formats.read(text.encode(), format)
        where = here.application, here.environment
        same = importing.import_targets(*where, inventory, problems, by=here.by)
        assert (same.added, same.changed, same.missing) == ([], [], [])
        assert same.same == len(targets)
        where = there.application, there.environment
        importing.import_targets(*where, inventory, lambda *_: {}, by=here.by)
        assert said(there) == said(here)

    check()


def said(place: Place) -> list[list[Any]]:
    """Return what an export has of a fleet."""
    found = selecting.fleet(place.application, place.environment)
    return [
        [
            *(row.name, row.texts, row.labels),
            {k: v for k, v in row.settings.items() if v is not None},
        ]
        for row in exported.rows(found)
    ]


def test_no_secret_is_exported() -> None:
    """Settings name it; what it is stands elsewhere, and sealed."""
    place = Place([NewTarget("a", "http://a:1", "agent", {"token": "the-name"})])
    found = selecting.fleet(place.application, place.environment)
    text = "".join(formats.written(exported.rows(found), "csv"))
    assert "the-name" in text


def test_many_lines_take_no_more_statements_than_few() -> None:
    """What takes one statement a line takes minutes for 100,000."""
    place = Place([])
    where = place.application, place.environment

    def imported(count: int) -> int:
        lines = [
            f"w{n},http://10.0.{n >> 8}.{n & 255}:9,agent,1.0,eu-{n % 7},t"
            for n in range(count)
        ]
        header = "name,address,kind,version,label.zone,settings.token\n"
        inventory = formats.read((header + "\n".join(lines)).encode(), "csv")
        with CaptureQueriesContext(connection) as asked:
            found = importing.import_targets(*where, inventory, problems, by=place.by)
        assert len(found.added) + found.same == count
        return len(asked)

    few, many, again = imported(200), imported(20_000), imported(20_000)
    assert max(many, again) <= few + 5
    assert Target.objects.exclude(driver_digest="").count() == 20_000

"""Bulk edits: labels by query, and what it means that a target is disabled."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from deployctl.models import Audit, Operation, Target
from deployctl.queries.differences import differences, sketch
from deployctl.queries.planned import planned
from deployctl.services import editing, planning, versions, watching
from deployctl.services.changing import Moved
from deployctl.services.editing import Edit
from deployctl.services.fleet import InUse
from deployctl.services.people import NotAllowed
from deployctl.services.planning import Refused
from strategies import InvalidOptions, Plan
from tests.services.hands import Hands, said
from tests.support.fleet import Place, person, simulated

pytestmark = pytest.mark.django_db(transaction=True)


def edit(place: Place, where: str, seen: str | None = None, **wanted: Any) -> int:
    """Edit as somebody who may; return how many were changed."""
    found = editing.edit_targets(
        place.application,
        place.environment,
        where,
        Edit(**wanted),
        by=place.by,
        seen=seen,
    )
    return len(found.changes)


def labels(name: str) -> dict[str, str]:
    """Return a target's labels."""
    found: dict[str, str] = Target.objects.get(name=name).labels
    return found


def plan(place: Place, **options: object) -> Plan:
    """Return a rolling plan to 2.0 for the whole fleet."""
    made = versions.register_version(place.application, "2.0", by=place.by)
    where = place.application, place.environment
    return planning.plan_deployment(*where, made, "rolling", options)


def test_labels_are_set_and_taken_away_where_the_query_holds() -> None:
    place = Place(simulated(3))
    assert edit(place, "name=t*", labels={"zone": "eu", "role": "web"}) == 3
    assert edit(place, "!name=t0", labels={"zone": "us", "role": None}) == 2
    assert labels("t0") == {"zone": "eu", "role": "web"}
    assert labels("t1") == {"zone": "us"}
    entry = Audit.objects.filter(action="targets.edited").latest("pk")
    assert entry.after is not None
    assert entry.after["targets"] == ["t1", "t2"]
    assert entry.after["labels"] == {"zone": "us", "role": None}


def test_what_changes_nothing_is_no_act() -> None:
    place = Place(simulated(1))
    edit(place, "name=t0", labels={"zone": "eu"})
    assert edit(place, "name=t0", labels={"zone": "eu", "none": None}) == 0
    assert Audit.objects.filter(action="targets.edited").count() == 1


def test_how_a_target_is_reached_is_not_changed_by_an_edit() -> None:
    place = Place(simulated(1))
    before: dict[str, Any] = dict(Target.objects.values().get())
    edit(place, "name=t0", labels={"zone": "eu"})
    after: dict[str, Any] = dict(Target.objects.values().get())
    assert {key for key in after if after[key] != before[key]} == {"labels"}


@pytest.mark.parametrize(
    ("where", "wanted", "says"),
    [
        ("zone=nowhere", {"enable": True}, "is like that. Change the query"),
        ("zone=", {"enable": True}, "a value is needed here"),
        ("name=t*", {}, "Say what is to be changed"),
        ("name=t*", {"enable": True, "disable": "x"}, "not both"),
        ("name=t*", {"disable": "x" * 501}, "one line of at most 500"),
        ("name=t*", {"disable": "a\nb"}, "one line of at most 500"),
        ("name=t*", {"disable": "\0"}, "one line of at most 500"),
        ("name=t*", {"labels": {"a b": "x"}}, "label.a b: a label's name has"),
        ("name=t*", {"labels": {"": "x"}}, "label.: a label's name has"),
        ("name=t*", {"labels": {"a": "x" * 201}}, "label.a: has more than 200"),
        ("name=t*", {"labels": {"a": "\0"}}, "label.a: has a character"),
        ("name=t*", {"labels": {str(n): "" for n in range(101)}}, "more than 100"),
    ],
)
def test_what_is_no_edit_is_refused(
    where: str, wanted: dict[str, Any], says: str
) -> None:
    place = Place(simulated(2))
    before = list(Target.objects.order_by("pk").values())
    with pytest.raises(ValueError, match=r"\w") as refused:
        edit(place, where, **wanted)
    assert says in str(refused.value)
    assert list(Target.objects.order_by("pk").values()) == before
    assert not Audit.objects.filter(action="targets.edited").exists()


def test_who_may_only_look_edits_nothing() -> None:
    place = Place(simulated(1))
    where = place.application, place.environment
    with pytest.raises(NotAllowed):
        editing.edit_targets(
            *where, "name=t0", Edit(disable="x"), by=person("charlie", staff=False)
        )
    assert Target.objects.get().disabled_at is None


def test_only_what_was_seen_is_done() -> None:
    place = Place(simulated(2))
    where = place.application, place.environment
    wanted = Edit(labels={"zone": "eu"})
    seen = editing.preview(*where, "name=t*", wanted).digest
    Target.objects.filter(name="t0").update(labels={"zone": "us"})
    with pytest.raises(Moved, match="Nothing was changed"):
        edit(place, "name=t*", seen, labels={"zone": "eu"})
    assert labels("t1") == {}
    seen = editing.preview(*where, "name=t*", wanted).digest
    assert edit(place, "name=t*", seen, labels={"zone": "eu"}) == 2


# -- disabled --------------------------------------------------------------------------


def test_a_disabled_target_is_left_out_of_plans_and_they_say_why() -> None:
    place = Place(simulated(3))
    edit(place, "name=t1", disable="its disk is being changed")
    made = plan(place, min_healthy=1)
    ids = {target.name: str(target.pk) for target in place.targets}
    assert {target.id for target in made.targets} == {ids["t0"], ids["t2"]}
    assert made.course.selected == 2
    assert [(each.id, each.why) for each in made.left_out] == [
        (ids["t1"], "its disk is being changed")
    ]
    assert planned(made)["skipped"] == [
        {"name": "t1", "why": "is disabled: its disk is being changed"}
    ]
    edit(place, "name=t1", enable=True)
    assert len(plan(place).targets) == 3
    assert Target.objects.get(name="t1").disabled_at is None


def test_a_fleet_that_is_all_disabled_makes_no_plan() -> None:
    place = Place(simulated(2))
    edit(place, "name=t*", disable="winter")
    with pytest.raises(InvalidOptions, match="left out, the first because: winter"):
        plan(place)


def test_a_plan_made_before_does_not_start_on_a_disabled_target() -> None:
    place = Place(simulated(2))
    deployment = place.prepare()
    edit(place, "name=t1", disable="broken")
    with pytest.raises(Refused, match="t1 changed since the plan was made"):
        place.start(deployment)


def test_the_difference_to_the_plan_before_names_what_was_disabled() -> None:
    place = Place(simulated(2))
    seen = sketch(plan(place))
    edit(place, "name=t1", disable="broken")
    assert differences(seen, plan(place)) == ["t1: disabled since."]


def test_nobody_looks_at_a_disabled_target() -> None:
    place = Place(simulated(2))
    edit(place, "name=t1", disable="broken")
    assert [each.name for each in watching.due(["simulated"], 10, 0)] == ["t0"]
    edit(place, "name=t1", enable=True)
    assert len(watching.due(["simulated"], 10, 0)) == 2


def test_nobody_looks_at_one_that_a_live_deployment_has_accepted_and_is_disabled() -> (
    None
):
    place = Place(simulated(3))
    hands = Hands(place.deploy(batch_size=1))
    hands.flush(said(hands.claims()[0]), places=0)
    assert edit(place, "name=t0", disable="broken") == 1
    assert "t0" not in {each.name for each in watching.due(["simulated"], 10, 0)}


def test_what_a_live_deployment_has_still_to_act_on_is_not_disabled() -> None:
    place = Place(simulated(2))
    deployment = place.deploy(batch_size=1)
    with pytest.raises(InUse, match=rf"Deployment {deployment.pk} is live"):
        edit(place, "name=t1", disable="broken")
    assert Target.objects.get(name="t1").disabled_at is None
    assert edit(place, "name=t1", labels={"zone": "eu"}) == 1  # Not what it approved.


def test_what_waits_on_a_disabled_target_keeps_nobody_from_planning() -> None:
    place = Place(simulated(2))
    deployment = place.deploy(batch_size=2)
    Operation.objects.filter(target__name="t1").update(state="unresolved")
    type(deployment).objects.filter(pk=deployment.pk).update(state="failed")
    with pytest.raises(Refused, match="t1 still has an operation"):
        plan(place)
    edit(place, "name=t1", disable="nobody knows what runs there")
    assert len(plan(place).targets) == 1


def test_disabling_again_changes_the_reason_and_not_since_when() -> None:
    place = Place(simulated(1))
    edit(place, "name=t0", disable="one")
    since_at = Target.objects.get().disabled_at
    edit(place, "name=t0", labels={"zone": "eu"})
    row = Target.objects.get()
    assert (row.disabled_reason, row.disabled_at) == ("one", since_at)
    edit(place, "name=t0", disable="two")
    assert Target.objects.get().disabled_reason == "two"


def test_nothing_is_disabled_without_a_reason() -> None:
    Place(simulated(1))
    with pytest.raises(IntegrityError), transaction.atomic():
        Target.objects.update(disabled_at="2026-01-01T00:00Z")

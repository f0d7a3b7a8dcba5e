"""`manage.py edit_targets`: edits looked at and made at a terminal."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from deployctl.models import Audit, Target
from tests.support.fleet import Place, simulated
from tests.terminal.typing import typed

pytestmark = pytest.mark.django_db(transaction=True)


def edit(place: Place, *more: str) -> str:
    """Run the command; return what was printed."""
    said = io.StringIO()
    where = place.application.name, "--env", place.environment.name
    call_command("edit_targets", *where, "--by", "ana", *more, stdout=said)
    return said.getvalue()


def test_it_is_planned_then_done_and_said() -> None:
    place = Place(simulated(3))
    wanted = ("--where", "name=t0 | name=t1", "--label", "zone=eu", "--unlabel", "x")
    assert edit(place, *wanted, "--plan") == (
        "  ~ t0  label.zone: none -> eu\n"
        "  ~ t1  label.zone: none -> eu\n"
        "2 of 2 chosen would be changed.\n"
    )
    assert not Target.objects.exclude(labels={}).exists()
    assert "2 of 2 chosen are changed." in edit(place, *wanted)
    assert "0 of 2 chosen are changed." in edit(place, *wanted)
    assert Target.objects.filter(labels={"zone": "eu"}).count() == 2
    entry = Audit.objects.get(action="targets.edited")
    assert (entry.actor, entry.after and entry.after["count"]) == ("ana", 2)


def test_a_target_is_disabled_and_enabled() -> None:
    place = Place(simulated(2))
    text = edit(place, "--where", "name=t1", "--disable", " broken ")
    assert "~ t1  disabled: none -> broken" in text
    assert Target.objects.get(disabled_reason="broken").name == "t1"
    assert Audit.objects.get(action="targets.edited").reason == "broken"
    assert "disabled: broken -> none" in edit(place, "--where", "disabled", "--enable")
    assert not Target.objects.exclude(disabled_at=None).exists()


def test_programs_get_an_object_for_each_and_a_sum() -> None:
    place = Place(simulated(60))
    where = (place.application.name, "--env", place.environment.name, "--by", "ana")
    wanted = ("--where", "name=*", "--label", "zone=eu", "--json")
    *changes, last = typed("edit_targets", *where, *wanted).records
    assert len(changes) == 60
    assert changes[0]["fields"] == {"label.zone": [None, "eu"]}
    assert last == {"chosen": 60, "changed": 60, "done": True}


def test_a_long_list_is_cut() -> None:
    place = Place(simulated(60))
    text = edit(place, "--where", "name=*", "--label", "a=b")
    assert text.count(" ~ ") == 50
    assert ".. and 10 more" in text


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--where", "zone=", "--enable"), "Character 6 of the query"),
        (("--where", "none", "--enable"), "is like that"),
        (("--where", "name=*"), "Say what is to be changed"),
        (("--where", "name=*", "--label", "zone"), "--label zone is not NAME=VALUE"),
        (("--where", "name=*", "--label", "=x"), "label.: a label's name"),
        (("--where", "name=*", "--disable", "\x1b[2J"), "The reason is one line"),
        (("--where", "name=*", "--enable", "--by", "nobody"), "no account nobody"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_changed(
    more: tuple[str, ...], says: str
) -> None:
    place = Place(simulated(2))
    with pytest.raises(CommandError, match=r"Nothing was changed\.$") as refused:
        edit(place, *more)
    assert says in str(refused.value)
    assert not Audit.objects.filter(action="targets.edited").exists()


def test_what_is_in_use_is_refused() -> None:
    place = Place(simulated(2))
    place.deploy()
    with pytest.raises(CommandError, match="is live and has still to act on"):
        edit(place, "--where", "name=t1", "--disable", "broken")

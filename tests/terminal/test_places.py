"""`manage.py application`, `environment` and `audit`: what begins, and who did it."""

from __future__ import annotations

import pytest

from deployctl.models import Application, Audit, Environment
from tests.support.fleet import Place, person, simulated
from tests.terminal.typing import typed

pytestmark = pytest.mark.django_db


def test_an_application_is_added_once_and_listed() -> None:
    person()
    assert "none yet" in typed("application", "list").out
    for _ in range(2):
        assert typed("application", "add", "shop").out == "Application shop is there.\n"
    assert Audit.objects.get(action="application.added").actor == "ana"
    assert typed("application", "list").out == "shop: 0 versions, no target.\n"


def test_an_environment_is_added_once_and_never_made_another_kind() -> None:
    person()
    assert "none yet" in typed("environment", "list").out
    for _ in range(2):
        told = typed("environment", "add", "live", "--production")
        assert told.out == "Environment live is there, marked as production.\n"
    told = typed("environment", "add", "live")
    assert (told.code, told.out) == (1, "")
    assert told.err == (
        "Environment live is there, and is marked as production. Nothing was changed."
    )
    assert Environment.objects.get().is_production
    assert Audit.objects.filter(action="environment.added").count() == 1
    typed("environment", "add", "trial")
    assert typed("environment", "list").out == (
        "live: no target, marked as production.\ntrial: no target.\n"
    )


def test_lists_count_what_is_there() -> None:
    place = Place(simulated(3))
    place.prepare("2.0")
    place.targets[0].removed_at = "2026-01-01T00:00:00Z"
    place.targets[0].save()
    app, env = place.application.name, place.environment.name
    assert (
        typed("application", "list").out == f"{app}: 1 version, 2 targets in {env}.\n"
    )
    assert typed("environment", "list").out == f"{env}: 2 targets.\n"
    assert typed("application", "list", "--json").records == [
        {"name": app, "versions": 1, "targets": {env: 2}}
    ]
    assert typed("environment", "list", "--json").records == [
        {"name": env, "is_production": False, "targets": 2}
    ]


@pytest.mark.parametrize("noun", ["application", "environment"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "one line of 1 to 128"),
        (" shop", "without blanks around it"),
        ("x" * 129, "one line of 1 to 128"),
        ("a\tb", "no text on one line"),
        ("-x", "taken for an option"),
        ("17", "taken for a number"),
    ],
)
def test_what_cannot_be_a_name_is_refused(noun: str, name: str, says: str) -> None:
    person()
    told = typed(noun, "add", "--", name)
    assert (told.code, told.out) == (1, "")
    assert says in told.err
    assert told.err.endswith("Nothing was changed.")
    assert not Application.objects.exists()
    assert not Environment.objects.exists()


@pytest.mark.parametrize("noun", ["application", "environment"])
def test_who_may_only_look_adds_nothing(noun: str) -> None:
    person("charlie", staff=False)
    told = typed(noun, "add", "shop", "--by", "charlie")
    assert told.code == 1
    assert "charlie may look but not add" in told.err
    assert not Application.objects.exists()
    assert not Environment.objects.exists()


def test_the_audit_says_who_did_what_from_where_and_why() -> None:
    place = Place(simulated(2))
    row = place.deploy()
    place.press(row, "pause", reason="a look\tat \x1b[2Jlogs")
    first, *rest = typed("audit", "list").out.splitlines()
    at, who, what, about, why, source = first.split("\t")
    assert at.endswith(" UTC")
    assert (who, what, source) == ("ana", "deployment.paused", "a test")
    assert about == f"deployment {row.pk}: {row}"
    assert why == r"a look\tat \x1b[2Jlogs"
    assert any("application.added" in line for line in rest)


def test_the_audit_of_one_deployment_is_its_own() -> None:
    place = Place(simulated(2))
    row = place.deploy()
    lines = typed("audit", "list", row.pk).out.splitlines()
    assert lines
    assert all(f"deployment {row.pk}: " in line for line in lines)
    records = typed("audit", "list", row.pk, "--json").records
    assert [each["action"] for each in records] == [
        line.split("\t")[2] for line in lines
    ]
    assert records[0]["object"] == {
        "type": "deployment",
        "id": row.pk,
        "label": str(row),
    }
    assert len(typed("audit", "list", "--limit", "1").out.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [(("4711",), "no deployment 4711"), (("--limit", "0"), "--limit is from 1")],
)
def test_an_audit_that_is_asked_wrongly_is_refused(
    words: tuple[str, ...], says: str
) -> None:
    told = typed("audit", "list", *words)
    assert told.code == 1
    assert says in told.err

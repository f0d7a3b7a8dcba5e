"""`manage.py import_targets` and `export_targets`: fleets as files at a terminal."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from deployctl.models import Audit, Target
from tests.support.fleet import Place, simulated
from tests.terminal.typing import typed

pytestmark = pytest.mark.django_db(transaction=True)

INI = "[web]\nweb[1:3] ansible_user=deploy\n[canary]\nweb1\n"


def bring(place: Place, file: Path | str, *more: str) -> str:
    """Run the import; return what was printed."""
    said = io.StringIO()
    where = place.application.name, str(file), "--env", place.environment.name
    call_command("import_targets", *where, "--by", "ana", *more, stdout=said)
    return said.getvalue()


def export(place: Place, *more: str) -> str:
    """Run the export; return what was printed."""
    said = io.StringIO()
    where = place.application.name, "--env", place.environment.name
    call_command("export_targets", *where, *more, stdout=said)
    return said.getvalue()


def test_an_inventory_is_planned_then_imported(tmp_path: Path) -> None:
    place = Place([])
    file = tmp_path / "hosts.ini"
    file.write_text(INI)
    more = ("--setting", "key=deploy")
    text = bring(place, file, "--plan", *more)
    assert "  + web1  address: ssh://deploy@web1; kind: ssh; " in text
    assert "3 would be added, 0 would be changed, 0 as they are." in text
    assert not Target.objects.exists()
    assert "3 added, 0 changed, 0 as they are." in bring(place, file, *more)
    assert "0 added, 0 changed, 3 as they are." in bring(place, file, *more)
    row = Target.objects.get(name="web1")
    assert (row.labels, row.settings) == (
        *({"web": "yes", "canary": "yes"}, {"key": "deploy"}),
    )
    assert Audit.objects.get(action="targets.imported").actor == "ana"


def test_programs_get_an_object_for_each_and_a_sum(tmp_path: Path) -> None:
    place = Place(simulated(1))
    file = tmp_path / "hosts.ini"
    file.write_text(INI)
    where = place.application.name, file, "--env", place.environment.name
    more = "--setting", "key=deploy", "--plan", "--json"
    *changes, last = typed("import_targets", *where, *more).records
    assert [each["target"] for each in changes] == ["web1", "web2", "web3"]
    assert all(each["is_new"] for each in changes)
    assert (last["added"], last["missing"], last["done"]) == (3, ["t0"], False)
    assert Target.objects.count() == 1


def test_stdin_is_read_when_it_is_said_what_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Place(simulated(2))
    given = io.TextIOWrapper(io.BytesIO(b"name,label.zone\nt0,eu\n"))
    monkeypatch.setattr(sys, "stdin", given)
    text = bring(place, "-", "--format", "csv", "--disable-missing")
    assert "  ~ t0  label.zone: none -> eu" in text
    assert "  ~ t1  disabled: none -> is not in the file that was imported" in text
    assert "1 not in the file disabled." in text


def test_all_mistakes_are_said_and_nothing_is_changed(tmp_path: Path) -> None:
    place = Place(simulated(1))
    file = tmp_path / "fleet.csv"
    lines = "".join(f"-{n},x\n" for n in range(150))
    file.write_text("name,kind\nnew,teapot\n" + lines)
    with pytest.raises(CommandError) as refused:
        bring(place, file)
    said = str(refused.value).splitlines()
    assert len(said) == 102
    assert ".. and 50 more" in said[-2] or ".. and 51 more" in said[-2]
    assert said[-1].startswith("Nothing was changed: the file has 15")
    assert Target.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "text", "more", "says"),
    [
        ("fleet.csv", "", (), "It is empty"),
        ("fleet.csv", "\0", (), "Line 1 has a NUL"),
        ("fleet.txt", "name\n", (), "Say what it is: --format csv, json"),
        ("none/x.csv", None, (), "cannot be read: No such file"),
        ("fleet.yaml", "!!python/object:os.system {}", (), "There is no target in it"),
        ("fleet.csv", "name\nt0\n", ("--by", "nobody"), "no account nobody"),
        ("fleet.csv", "name\nt0\n", ("--setting", "key"), "key is no setting"),
    ],
)
def test_what_cannot_be_read_is_said(
    tmp_path: Path, name: str, text: str | None, more: tuple[str, ...], says: str
) -> None:
    place = Place(simulated(1))
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    with pytest.raises(CommandError, match=says) as refused:
        bring(place, file, *more)
    assert str(refused.value).endswith("Nothing was changed.")


@pytest.mark.parametrize("format", ["csv", "json"])
def test_what_is_exported_can_be_imported(tmp_path: Path, format: str) -> None:
    place = Place(simulated(3))
    file = tmp_path / f"fleet.{format}"
    file.write_text(export(place, "--format", format))
    assert "0 added, 0 changed, 3 as they are." in bring(place, file)


def test_a_query_says_what_is_exported() -> None:
    place = Place(simulated(3))
    text = export(place, "--where", "name=t1")
    assert text.splitlines() == [
        "name,address,kind,slot,version,settings.version",
        't1,,simulated,,1.0,"""1.0"""',
    ]
    with pytest.raises(CommandError, match="a value is needed here"):
        export(place, "--where", "name=")

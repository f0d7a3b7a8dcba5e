"""`manage.py version`: what is registered at a terminal, or from a file."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

import manage
from deployctl.models import Audit, Version
from tests.support.fleet import Place, simulated
from tests.terminal.typing import typed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place() -> Place:
    return Place(simulated(2))


def said(*words: str) -> str:
    """Run the command; return what it printed."""
    out = io.StringIO()
    call_command("version", *words, stdout=out)
    return out.getvalue()


def test_one_is_registered_listed_and_withdrawn(place: Place) -> None:
    name = place.application.name
    text = said("register", name, "2.0", "--digest", "sha256:00", "--by", "ana")
    assert text == f"{name} 2.0 is registered.\n"
    assert said("register", name, "2.0", "--digest", "other", "--by", "ana")
    row = Version.objects.get(version="2.0")
    assert row.digest == "sha256:00", "a version is immutable"
    said("withdraw", name, "2.0", "--reason", " it \n loses mail ", "--by", "ana")
    assert "2.0: withdrawn: it loses mail." in said("list", name)
    assert Audit.objects.filter(action="version.withdrawn").count() == 1


def test_a_list_says_where_each_runs(place: Place) -> None:
    said("register", place.application.name, "1.0", "--by", "ana")
    said("register", place.application.name, "2.0", "--by", "ana")
    lines = said("list").splitlines()
    assert lines[0].endswith("2.0: runs nowhere.")
    assert lines[1].endswith(f"1.0: 2 of 2 in {place.environment}.")


def test_programs_get_objects(place: Place) -> None:
    name = place.application.name
    (made,) = typed("version", "register", name, "1.0", "--by", "ana", "--json").records
    assert (made["application"], made["version"]) == (name, "1.0")
    typed("version", "withdraw", name, "1.0", "--by", "ana", "--reason", "old")
    (told,) = typed("version", "list", name, "--json").records
    assert told["withdrawn_reason"] == "old"
    runs = {"environment": place.environment.name, "count": 2, "of": 2}
    assert told["runs"] == [runs]


def test_what_others_typed_moves_no_cursor(place: Place) -> None:
    said("register", place.application.name, "1.0", "--by", "ana")
    Version.objects.update(withdrawn_at=Now(), withdrawn_reason="\x1b[2J gone")
    assert said("list").endswith("1.0: withdrawn: \\x1b[2J gone.\n")


def test_a_file_is_registered_as_a_whole(place: Place, tmp_path: Path) -> None:
    name = place.application.name
    file = tmp_path / "versions.json"
    entries = [
        {"application": name, "version": f"3.{n}", "ticket": "T"} for n in range(3)
    ]
    file.write_text("\ufeff" + json.dumps(entries))
    assert said("import", str(file), "--by", "ana") == "3 registered.\n"
    entries.append({"application": name, "version": "3.3"})
    file.write_text(json.dumps(entries))
    text = said("import", str(file), "--by", "ana")
    assert text == "1 registered, 3 were there already.\n"
    assert Version.objects.get(version="3.0").ticket == "T"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"version": "1.1"}, "entry 2: There is no application ''"),
        ({"application": "nobody", "version": "1.1"}, "no application 'nobody'"),
        ({"application": "A"}, "A version starts with a letter"),
        ({"application": "A", "version": "../x"}, "A version starts with a letter"),
        ({"application": "A", "version": "1 2"}, "A version starts with a letter"),
        ({"application": "A", "version": 7}, "Its version must be a text"),
        ({"application": "A", "version": "1.1", "notes": None}, "Its notes must be"),
        ({"application": "A", "version": "1.1", "notes": "\0"}, "Its notes must be"),
        ({"application": "A", "version": "1.1", "digest": "d" * 201}, "more than 200"),
        ({"application": "A", "version": "1.1", "colour": ""}, "It must be an object"),
        ("1.1", "It must be an object"),
        (None, "It must be an object"),
    ],
)
def test_one_wrong_entry_keeps_all_out(
    place: Place, tmp_path: Path, entry: Any, says: str
) -> None:
    name = place.application.name
    if isinstance(entry, dict) and entry.get("application") == "A":
        entry = {**entry, "application": name}
    file = tmp_path / "versions.json"
    file.write_text(json.dumps([{"application": name, "version": "9.9"}, entry]))
    with pytest.raises(CommandError) as refused:
        said("import", str(file), "--by", "ana")
    assert says in str(refused.value)
    assert "Nothing was changed." in str(refused.value)
    assert not Version.objects.filter(version="9.9").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "is no JSON"),
        (b"{}", "must be a JSON list"),
        (b"[" * 100_000, "is no JSON"),
        (b"\xff\xfe[", "could not be read"),
    ],
)
def test_a_file_that_is_none(
    place: Place, tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "versions.json"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=says):
        said("import", str(file), "--by", "ana")
    with pytest.raises(CommandError, match="could not be read"):
        said("import", str(tmp_path / "none"), "--by", "ana")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("register", "nobody", "1"), "There is no application 'nobody'"),
        (("register", "A", "-"), "A version starts with"),
        (("withdraw", "A", "7.7", "--reason", "x"), "has no version 7.7"),
        (("withdraw", "A", "2.0", "--reason", "  "), "a reason is needed"),
        (("withdraw", "A", "2.0", "--reason", "\x1b[2J"), "A reason is text"),
        (("withdraw", "A", "2.0", "--reason", "r" * 1001), "at most 1,000"),
        (("list", "nobody"), "There is no application nobody"),
        (("register", "A", "4.0", "--notes", "n" * 4001), "more than 4000"),
    ],
)
def test_what_is_wrong_is_said(place: Place, words: tuple[str, ...], says: str) -> None:
    name = place.application.name
    said("register", name, "2.0", "--by", "ana")
    argv = [name if word == "A" else word for word in words]
    by = () if words[0] == "list" else ("--by", "ana")
    with pytest.raises(CommandError, match=says):
        said(*argv, *by)
    assert Version.objects.filter(withdrawn_at=None).count() == 1


def test_a_thousand_wrong_ones_are_not_all_said(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "versions.json"
    file.write_text(json.dumps([None] * 1000))
    with pytest.raises(CommandError, match="and 980 more"):
        said("import", str(file), "--by", "ana")


def test_it_is_found_on_the_command_line(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Django has a word of that name, which says its own number."""
    name = place.application.name
    said("register", name, "2.0", "--by", "ana")
    monkeypatch.setattr(sys, "argv", ["manage.py", "version", "list", name])
    manage.main()
    assert capsys.readouterr().out == f"{name} 2.0: runs nowhere.\n"

"""Keys, and seals that open in one row only; without a database."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from deployctl.services import sealing
from deployctl.services.sealing import NoKey, NotOpened, Place
from tests.support.keys import new_key

CANARY = "canary-4711"
HERE = Place(1, 2, "token")


@pytest.fixture
def file(keys: Path) -> Path:
    """The file of keys, which is not there yet."""
    keys.unlink()
    return keys


def test_a_seal_opens_in_its_place(file: Path) -> None:
    file.write_text(new_key())
    newest = sealing.keys().newest
    sealed = newest.seal(CANARY, HERE)
    assert CANARY.encode() not in sealed
    assert newest.seal(CANARY, HERE) != sealed
    assert newest.open(sealed, HERE) == CANARY


@pytest.mark.parametrize(
    "place",
    [
        Place(2, 2, "token"),
        Place(1, 3, "token"),
        Place(1, None, "token"),
        Place(1, 2, "tokem"),
    ],
)
def test_and_in_no_other(file: Path, place: Place) -> None:
    file.write_text(new_key())
    newest = sealing.keys().newest
    with pytest.raises(NotOpened, match=place.name):
        newest.open(newest.seal(CANARY, HERE), place)


@pytest.mark.parametrize("at", [0, 5, 12, -1])
def test_a_changed_one_does_not_open(file: Path, at: int) -> None:
    file.write_text(new_key())
    newest = sealing.keys().newest
    sealed = bytearray(newest.seal(CANARY, HERE))
    sealed[at] ^= 1
    with pytest.raises(NotOpened):
        newest.open(bytes(sealed), HERE)
    with pytest.raises(NotOpened):
        newest.open(b"", HERE)


def test_the_newest_seals_and_all_open(file: Path) -> None:
    old = new_key()
    file.write_text(old)
    first = sealing.keys().newest
    sealed = first.seal(CANARY, HERE)
    file.write_text(f"{new_key()}\n{old}\n")
    now = sealing.keys()
    assert now.newest.id != first.id
    assert now.open(first.id, sealed, HERE) == CANARY
    file.write_text(new_key())
    with pytest.raises(NoKey, match=first.id):
        sealing.keys().open(first.id, sealed, HERE)


def test_the_variable_comes_before_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(new_key())
    other = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    from_file = sealing.keys().newest.id
    monkeypatch.setenv(sealing.VARIABLE, other)
    assert sealing.keys().newest.id != from_file
    assert sealing.source() == sealing.VARIABLE


def test_without_a_key_it_says_where_one_belongs(file: Path) -> None:
    with pytest.raises(NoKey, match=str(file)):
        sealing.keys()


@pytest.mark.parametrize("bad", ["canary", "Y2FuYXJ5", "canary" * 8, "=" * 44, "ä"])
def test_what_is_no_key_is_not_told(file: Path, bad: str) -> None:
    file.write_text(f"{new_key()} {bad}", encoding="latin1")
    with pytest.raises(NoKey) as said:
        sealing.keys()
    assert "canary" not in str(said.value).lower()
    assert "Y2Fu" not in str(said.value)


def test_a_key_does_not_show_itself(file: Path) -> None:
    given = new_key()
    file.write_text(given)
    raw = base64.b64decode(given)
    shown = repr(sealing.keys())
    assert given not in shown
    assert repr(raw) not in shown

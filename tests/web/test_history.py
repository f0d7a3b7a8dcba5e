"""The history as a list and as a file: its filters, its pages, and what people type."""

from __future__ import annotations

import csv
import io
from urllib.parse import quote

import pytest
from django.test import Client

from deployctl.models import Deployment, Operation
from deployctl.queries import filtering, history, operating, sheets
from deployctl.queries.sheets import safe
from tests.support.fleet import Place
from tests.support.rooms import Hand


def listed(client: Client, query: str = "") -> str:
    """Return the page."""
    answer = client.get(f"/deployments/?{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def numbers(text: str) -> list[int]:
    """Return the numbers of a page's rows, in order."""
    found = text.split('<td class="only-wide faint">')[1:]
    return [int(each.split("<")[0]) for each in found]


def table(client: Client, path: str) -> list[dict[str, str]]:
    """Return a CSV file as rows by column."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/csv")
    body = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(body.decode())))


@pytest.fixture
def many(place: Place, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seven deployments that wait, on pages of three; their numbers, newest first."""
    monkeypatch.setattr(history, "PAGE", 3)
    made = [place.prepare(f"2.{number}") for number in range(7)]
    return [row.pk for row in made][::-1]


def test_pages_go_back_and_forth_and_nothing_is_lost(
    many: list[int], place: Place, alice: Client
) -> None:
    first = listed(alice)
    assert numbers(first) == many[:3]
    assert "Newer" not in first
    older = first.split('rel="next"')[0].split('href="?')[-1].split('"')[0]
    # What comes meanwhile moves nothing.
    new = place.prepare("3.0").pk
    second = listed(alice, older)
    assert numbers(second) == many[3:6]
    newer = second.split('rel="prev"')[0].split('href="?')[-1].split('"')[0]
    assert numbers(listed(alice, newer)) == many[:3]
    last = listed(alice, f"before={many[5]}")
    assert numbers(last) == many[6:]
    assert 'rel="next"' not in last
    assert numbers(listed(alice, f"after={many[0]}")) == [new]


@pytest.mark.parametrize(
    "where",
    [
        "before=0",
        "before=-1",
        "after=x",
        "before=" + "9" * 15,
        "after=99999999",
        "page=7",
    ],
)
def test_places_that_are_none(many: list[int], alice: Client, where: str) -> None:
    """A stale or invented address shows what there is, and never an error."""
    assert set(numbers(listed(alice, where))) <= set(many)


def test_a_filter_stays_while_pages_are_turned(many: list[int], alice: Client) -> None:
    text = listed(alice, "state=pending&q=2.")
    assert numbers(text) == many[:3]
    assert "state=pending&amp;q=2.&amp;before=" in text


def test_every_filter_is_shown_as_it_was_asked(place: Place, alice: Client) -> None:
    place.prepare("2.0")
    asked = "q=%3Cb%3E&state=failed&strategy=canary&since=2026-01-01&until=2026-02-01"
    text = listed(alice, asked)
    assert "No deployment is like that" in text
    assert 'value="&lt;b&gt;"' in text
    assert 'value="2026-01-01"' in text
    assert "<b>" not in text.split("<main")[1].split("</form>")[0]


@pytest.mark.parametrize("word", ["'", "\\", "%", "\x00", "é" * 500, "a:*|b", "-- "])
def test_what_is_typed_is_never_an_error(
    place: Place, alice: Client, word: str
) -> None:
    place.prepare("2.0")
    for name in ("q", "application", "environment", "state", "strategy", "since"):
        listed(alice, f"{name}={quote(word)}")


def test_very_many_are_not_counted(
    many: list[int], alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ">7 deployments<" in listed(alice).replace("\xa0", " ")
    monkeypatch.setattr(filtering, "MOST_COUNTED", 5)
    assert ">more than 5 deployments<" in listed(alice).replace("\xa0", " ")


def test_a_file_has_all_that_is_asked_for(
    many: list[int], alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one page of it; and it is read a part at a time."""
    monkeypatch.setattr(sheets, "PART", 2)
    rows = table(alice, "/deployments.csv")
    assert [int(row["deployment"]) for row in rows] == many
    assert rows[0]["to_version"] == "2.6"
    assert table(alice, "/deployments.csv?q=2.3")[0]["to_version"] == "2.3"
    assert table(alice, "/deployments.csv?state=failed") == []


def test_a_cell_is_never_a_formula(place: Place, alice: Client) -> None:
    made = place.prepare("2.0")
    why = '=cmd|" /C calc"!A0'
    Deployment.objects.filter(pk=made.pk).update(why=why)
    (row,) = table(alice, "/deployments.csv")
    assert row["why"] == f"'{why}"
    for begins in ("=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1"):
        assert safe(begins) == f"'{begins}"
    assert [safe(cell) for cell in (None, 7, 1.5, "1.0", "")] == ["", 7, 1.5, "1.0", ""]


def test_who_is_not_signed_in_gets_no_file(place: Place) -> None:
    for path in ("/deployments.csv", f"/targets/{place.targets[0].pk}/history.csv"):
        assert Client().get(path).status_code == 302


def test_a_targets_history_says_what_ran_when_and_by_which(
    place: Place, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operating, "PAGE", 2)
    for version in ("2.0", "3.0", "4.0"):
        deployment = place.deploy(version, batch_size=8)
        Hand(deployment).finish()
    target = place.targets[0].pk
    text = alice.get(f"/targets/{target}/").content.decode()
    assert text.count("<td>3.0") == 1
    assert "4.0" in text
    assert 'rel="next"' in text
    rows = table(alice, f"/targets/{target}/history.csv")
    assert [(row["from_version"], row["to_version"]) for row in rows] == [
        ("3.0", "4.0"),
        ("2.0", "3.0"),
        ("1.0", "2.0"),
    ]
    assert {row["state"] for row in rows} == {"succeeded"}
    done = Operation.objects.filter(target_id=target).count()
    assert len(rows) == done == 3
    assert alice.get("/targets/999999/history.csv").status_code == 404

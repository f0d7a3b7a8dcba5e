"""Every address, given numbers, filters and cursors that are none.

To add what an address reads, add its name to a row of `READS`; a name that is read and
in no row fails the test.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.core.handlers import wsgi
from django.http import QueryDict

from deployctl.models import Deployment
from tests.badinput.addresses import address, names, parts
from tests.badinput.answers import refusals
from tests.badinput.forms import FORMS
from tests.badinput.values import NUMBERS, SCRIPT, SECRET, TEXTS
from tests.badinput.watching import fingerprint, listening, undone
from tests.badinput.world import World, browser

#: What replaces a part of an address: there is no such thing, and the page says so.
NOWHERE = {
    "unknown": "999999",
    "negative": "-1",
    "unicode digits": "\u0661",
    "beyond bigint": str(2**63),
    "endless": "9" * 5_000,
    "nul": "\0",
    "broken utf-8": "%FF%ED%A0%80",
    "code": SCRIPT.replace("/", ""),
    "another hash": "0" * 64,
    "half a hash": "0" * 63,
}
_WORDS = {name: TEXTS[name] for name in ("long", "nul", "unprintable", "code")}
_DIGITS = ("code", "nul", "unicode digits", "negative", "beyond bigint", "endless")
_NUMBERS = {name: NUMBERS[name] for name in _DIGITS}
_FLEET = {
    **dict.fromkeys(("q", "application", "environment", "version", "state"), _WORDS),
    "where": {**TEXTS, "open": "(", "deep": "!" * 999},
    **dict.fromkeys(("deployment", "batch", "position"), _NUMBERS),
}
_CURSORS = dict.fromkeys(("before", "after"), _NUMBERS)
_HISTORY = {
    name: {**_WORDS, "no day": "2026-02-30", "the last day": "9999-12-31"}
    for name in (
        *("q", "application", "environment", "state", "strategy", "since", "until"),
    )
}
#: What each address reads behind its question mark; "*" fills a form with whatever is
#: named there.
READS: dict[str, dict[str, dict[str, str]]] = {
    "sign-in": {"next": TEXTS},
    "overview": {"part": _WORDS},
    "target-list": {**_FLEET, "page": _NUMBERS},
    "target-export": {**_FLEET, "*": {}},  # It leads back to what was filtered.
    "target-detail": _CURSORS,
    "target-import": {"*": {}, "application": _WORDS, "format": _WORDS, "text": TEXTS},
    "target-edit": {"*": {}, "environment": _WORDS, "where": TEXTS},
    "version-list": {"q": _WORDS, "application": _WORDS, "page": _NUMBERS},
    "plan-detail": {"against": {**_WORDS, "another": "0" * 64, "half": "0" * 63}},
    "deployment-list": {**_HISTORY, **_CURSORS},
    "deployment-csv": _HISTORY,
    "deployment-new": {
        "*": {},
        **dict.fromkeys(("like", "draft", "template"), _NUMBERS),
        "application": _NUMBERS,
        "strategy": _WORDS,
        "where": _WORDS,
    },
    "deployment-live": {"since": _NUMBERS},
}
#: What is removed twice, or from a stale page, leads to what there is.
DOUBLE = {"query-remove", "deployment-saved-remove", "deployment-saved-rename"}
#: What a query may mean is refused in a sentence on the page; all else finds nothing.
_STATUSES = (200, 302, 404, 422)
#: What is posted only; whatever else is asked of it.
_POSTED = 405


class Recorded(QueryDict):
    """What is behind the question mark; it remembers which of it was read."""

    read: set[str] = set()

    def __getitem__(self, key: Any) -> Any:
        """Remember the name; `get` comes here too."""
        self.read.add(str(key))
        return super().__getitem__(key)

    def dict(self) -> dict[str, Any]:
        """Remember that all of it was read."""
        self.read.add("*")
        return {key: super(Recorded, self).__getitem__(key) for key in self}


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names that views have read."""
    monkeypatch.setattr(Recorded, "read", set())
    monkeypatch.setattr(wsgi, "QueryDict", Recorded)
    return Recorded.read


def asked(world: World, name: str, query: str) -> list[str]:
    """Ask for an address; return what is wrong with the answer."""
    client = browser() if name == "sign-in" else world.alice
    with listening() as watch:
        try:
            answer = client.get(f"{address(name, world)}?{query}")
            page = b"".join(answer).decode()
        except Exception as error:
            return [f"raised {error!r:.300}"]
    wrong = list(watch.wrong)
    if answer.status_code not in (*_STATUSES, *((_POSTED,) if name in FORMS else ())):
        wrong.append(f"answered {answer.status_code}")
    if answer.status_code == 422 and not refusals(answer):
        wrong.append("422 without a sentence")
    if SECRET in page or (SCRIPT in page and "csv" not in answer["Content-Type"]):
        wrong.append("it shows what it must not")
    return wrong


@pytest.mark.parametrize("name", sorted(set(names()) - {"readyz"}))
def test_what_an_address_asks_for_breaks_nothing(
    name: str, world: World, reading: set[str]
) -> None:
    wrong, before, row = {}, fingerprint(), READS.get(name, {})
    with undone():
        for each, values in row.items():
            for value in values:
                found = asked(world, name, urlencode({each: values[value]}))
                wrong.update({f"{each}={value}": found} if found else {})
        for odd in ("%ff%ed%a0%80=%ff", "&&==&", "a=1&" * 900, "q[]=1&q[a]=2"):
            found = asked(world, name, odd)
            wrong.update({odd[:20]: found} if found else {})
        assert fingerprint() == before
    assert not wrong
    assert reading <= set(row), "it reads what no row tries"
    assert "*" in row or set(row) <= reading, "a row tries what it does not read"


@pytest.mark.parametrize("name", [name for name in names() if parts(name)])
def test_what_is_not_there_is_not_found(name: str, world: World) -> None:
    wrong, before = {}, fingerprint()
    mark = "424242"
    for part in parts(name):
        known = "0123456789abcdef" * 4 if part == "plan_hash" else mark
        known = "json" if part == "format" else known
        whole = address(name, world, **{part: known})
        for value in NOWHERE:
            put = NOWHERE[value] if "%" in NOWHERE[value] else quote(NOWHERE[value])
            path = whole.replace(known, put)
            with undone(), listening() as watch:
                for method in (world.alice.get, world.alice.post):
                    answer = method(path)
                    if answer.status_code == 405:
                        continue
                    said = refusals(answer)
                    gone = name in DOUBLE and answer.status_code == 302
                    if not gone and (answer.status_code != 404 or not said):
                        watch.wrong.append(f"answered {answer.status_code} {said}")
                if fingerprint() != before:
                    watch.wrong.append("it changed something")
            wrong.update({f"{part}={value}": watch.wrong} if watch.wrong else {})
    assert not wrong


@pytest.mark.parametrize("path", ["/nowhere", "/deployments", "/%FF", "/..", "/\0"])
def test_where_nothing_is_a_page_says_so(path: str, world: World) -> None:
    answer = world.alice.get(path)
    assert answer.status_code in (301, 404)
    assert answer.status_code == 301 or "There is no such page" in refusals(answer)[0]


@pytest.mark.parametrize("where", ["after={newest}", "before={oldest}", "after=999999"])
def test_a_cursor_past_the_end_shows_the_newest(where: str, world: World) -> None:
    ids = list(Deployment.objects.order_by("pk").values_list("pk", flat=True))
    query = where.format(newest=ids[-1], oldest=ids[0])
    page = world.alice.get(f"/deployments/?{query}")
    assert [row["id"] for row in page.context["deployments"]] == ids[::-1]
    assert page.context["page"] == world.alice.get("/deployments/").context["page"]

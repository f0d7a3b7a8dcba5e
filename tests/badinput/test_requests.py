"""Requests that are no form of ours: broken, too large, by a wrong method, from nobody.

Each row is tried at every address of the URL conf that it could concern.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.badinput.addresses import address, names
from tests.badinput.answers import refusals
from tests.badinput.forms import FORMS
from tests.badinput.values import SECRET
from tests.badinput.watching import fingerprint, listening, undone
from tests.badinput.world import PASSWORD, World, browser, staying

Sends = Callable[[Client, str], Any]
_URLENCODED = "application/x-www-form-urlencoded"


def body(data: bytes | str, kind: str) -> Sends:
    """Return what posts these bytes as they are."""
    return lambda client, path: client.generic("POST", path, data, kind)


def posts(data: dict[str, Any]) -> Sends:
    """Return what posts a form."""
    return lambda client, path: client.post(path, data)


def generic(method: str) -> Sends:
    """Return what asks by a method, with nothing more."""
    return lambda client, path: client.generic(method, path)


#: What cannot be read, whatever the form: (what is sent, status, what is said).
UNREADABLE: dict[str, tuple[Sends, int, str]] = {
    "too large": (
        body(f"text={SECRET}{'x' * 3_000_000}", _URLENCODED),
        413,
        "over 2.6 MB, the most that a form takes",
    ),
    "too large in parts": (
        lambda client, path: client.post(path, {"text": "x" * 3_000_000}),
        413,
        "choose it instead of pasting its text",
    ),
    "too many fields": (
        body("&".join(f"a{n}=1" for n in range(1001)), _URLENCODED),
        413,
        "more than 1,000 fields",
    ),
    "too many in the address": (
        lambda client, path: client.post(f"{path}?{'a=1&' * 1001}"),
        413,
        "more than 1,000 fields",
    ),
    "no boundary": (body("text=1", "multipart/form-data"), 400, "could not be read"),
    "a broken boundary": (
        body("x", "multipart/form-data; boundary=\u00e9"),
        400,
        "could not be read",
    ),
    "broken base64": (
        body(
            '--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n'
            "Content-Transfer-Encoding: base64\r\n\r\na\r\n--b--\r\n",
            "multipart/form-data; boundary=b",
        ),
        400,
        "could not be read",
    ),
    "another charset": (
        body("a=1".encode("utf-16"), f"{_URLENCODED}; charset=utf-16"),
        400,
        "could not be read",
    ),
}


def tried(client: Client, send: Sends, path: str) -> tuple[Any, list[str]]:
    """Send; return the answer, and what is wrong whatever was sent."""
    before = fingerprint()
    with undone(), staying(client), listening() as watch:
        answer = send(client, path)
        wrong = list(watch.wrong)
        if fingerprint() != before:
            wrong.append("it changed something")
        if SECRET in b"".join(answer).decode():
            wrong.append("it shows the secret")
    return answer, wrong


def refused(
    client: Client, send: Sends, path: str, statuses: tuple[int, ...], says: str = ""
) -> list[str]:
    """Return what is wrong with a refusal."""
    answer, wrong = tried(client, send, path)
    said = refusals(answer)
    if answer.status_code not in statuses:
        wrong.append(f"answered {answer.status_code}")
    if not any(says in text and len(text.split()) > 3 for text in said):
        wrong.append(f"says {said}")
    return wrong


@pytest.mark.parametrize("row", UNREADABLE)
def test_what_cannot_be_read_is_refused_everywhere(row: str, world: World) -> None:
    send, status, says = UNREADABLE[row]
    wrong = {
        name: found
        for name in FORMS
        if (found := refused(world.alice, send, address(name, world), (status,), says))
    }
    assert not wrong


def test_a_script_is_told_in_its_region(world: World) -> None:
    path = address("deployment-preview", world)
    answer = world.alice.post(
        path, {"text": "x" * 3_000_000}, headers={"HX-Request": "true"}
    )
    assert answer.status_code == 413
    assert answer["HX-Reswap"] == "innerHTML"
    assert "<html" not in answer.content.decode()
    assert "over 2.6 MB" in refusals(answer)[0]


#: What is read as a form in which nothing is, or other text than was meant.
FOREIGN: dict[str, Sends] = {
    "json": body(f'{{"token": "{SECRET}"}}', "application/json"),
    "no type": body(b"\x00\xff", ""),
    "an unknown charset": body(b"a=1", f"{_URLENCODED}; charset=nonesuch"),
    "broken utf-8": body(b"text=%ff&name=%ed%a0%80&command=%c0%af", _URLENCODED),
    "cut off": body(
        '--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nhalf',
        "multipart/form-data; boundary=b",
    ),
}
#: Whose forms have no field that is needed, or show what is there so far.
_NEED_NOTHING = {"sign-out", "query-remove", "deployment-preview"}
_NEED_NOTHING |= {"deployment-saved-remove"}


@pytest.mark.parametrize("row", FOREIGN)
def test_what_is_no_form_of_ours_is_an_empty_one(row: str, world: World) -> None:
    wrong = {}
    for name in sorted(set(FORMS) - _NEED_NOTHING):
        client = browser() if FORMS[name].is_anonymous else world.alice
        path = address(name, world)
        found = refused(client, FOREIGN[row], path, (302, 404, 422, 200))
        wrong.update({name: found} if found else {})
    assert not wrong


@pytest.mark.parametrize("name", FORMS)
def test_a_field_that_is_sent_twice_counts_once(name: str, world: World) -> None:
    form, path = FORMS[name], address(name, world, **world.others.get(name, {}))
    client = browser() if form.is_anonymous else world.alice
    with undone(), staying(client):
        form.prepare(world)
        good = form.good(world, world.alice)
        twice = [(key, value) for key in good for value in ("none", good[key])]
        answer = client.post(path, urlencode(twice), content_type=_URLENCODED)
        assert (answer.status_code in (200, 302), refusals(answer)) == (True, [])


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE"])
def test_a_method_that_is_not_served_is_refused(method: str, world: World) -> None:
    wrong = {}
    for name in sorted(set(names()) - {"readyz"}):  # That one may fail when it is well.
        path = address(name, world)
        answer, found = tried(
            browser() if name == "sign-in" else world.alice,
            generic(method),
            path,
        )
        if answer.status_code != 405 and method != "GET":
            found.append(f"answered {answer.status_code}")
        if answer.status_code == 405:
            said = refusals(answer)
            words = ("This cannot be done here", method, "Nothing was changed.")
            good = said and all(word in said[0] for word in words)
            found += [] if good and answer["Allow"] else [f"says {said}"]
        wrong.update({name: found} if found else {})
    assert not wrong


def test_a_form_without_its_token_is_refused(world: World) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = deepcopy(world.alice.cookies)
    wrong = {}
    for name, form in FORMS.items():
        good = form.good(world, world.alice)
        send = posts(good)
        found = refused(strict, send, address(name, world), (403,), "its form is no")
        wrong.update({name: found} if found else {})
    assert not wrong


def test_who_may_only_look_changes_nothing(world: World) -> None:
    """What may be looked at by everybody is a preview, or leads in and out."""
    wrong, free = {}, {"sign-in", "sign-out"}
    for name in sorted(set(FORMS) - free):
        form = FORMS[name]
        path = address(name, world, **world.others.get(name, {}))
        good = form.good(world, world.alice)
        send = posts(good)
        if form.is_preview:
            found = tried(world.charlie, send, path)[1]
        else:
            found = refused(world.charlie, send, path, (302, 403), "charlie may look")
        wrong.update({name: found} if found else {})
    assert not wrong


def test_nobody_reaches_anything(world: World) -> None:
    """Whatever is sent, who has not signed in is led there, and nothing is changed."""
    wrong, open_ones = {}, {"healthz", "readyz", "sign-in", "sign-out"}
    for name in sorted(set(names()) - open_ones):
        for method in ("GET", "POST"):
            send = generic(method)
            answer, found = tried(browser(), send, address(name, world))
            if not answer.get("Location", "").startswith("/sign-in/?next="):
                found.append(f"answered {answer.status_code}")
            wrong.update({f"{method} {name}": found} if found else {})
    assert not wrong


#: (headers, the statuses in which they may end)
HEADERS: dict[str, tuple[dict[str, str], tuple[int, ...]]] = {
    "another host": ({"Host": "evil.example"}, (400,)),
    "no host": ({"Host": "a b"}, (400,)),
    "a foreign session": ({"Cookie": f"sessionid={SECRET}"}, (302,)),
    "a long session": ({"Cookie": f"sessionid={'x' * 9000}"}, (302,)),
    "a broken session": ({"Cookie": "sessionid=\x00\xff; =; ;;"}, (302,)),
    "a broken htmx": ({"HX-Request": "\xff", "HX-Current-URL": "http://["}, (200,)),
    "an odd language": ({"Accept-Language": "x" * 9000, "Accept": ","}, (200,)),
    "a broken range": ({"Range": "bytes=9-1,-", "If-Modified-Since": "x"}, (200,)),
}


@pytest.mark.parametrize("row", HEADERS)
def test_odd_headers_break_nothing(row: str, world: World) -> None:
    headers, statuses = HEADERS[row]
    for path in ("/", "/deployments/new/", address("deployment-detail", world)):
        answer, wrong = tried(world.alice, partial(Client.get, headers=headers), path)
        assert (answer.status_code, wrong) in [(status, []) for status in statuses]
    if statuses == (400,):
        assert "This could not be read" in refusals(answer)[0]


def test_the_secret_would_be_found(world: World) -> None:
    """The password that is typed, and the name beside it, are in no line of the log."""
    with listening() as watch, undone():
        browser().post("/sign-in/", {"username": SECRET, "password": PASSWORD})
    assert watch.wrong == []

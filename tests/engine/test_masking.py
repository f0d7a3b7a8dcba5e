"""Ways in which a target says a secret by accident, each of which is masked."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote

import pytest

from deployctl.engine import clean, masking
from deployctl.engine.masking import MASK
from deployctl.engine.reach import Reach

TOKEN = 'cana"ry/5d1c+7f\\é'
#: As a cloud's key for a service: lines, indents, escapes.
DOCUMENT = '{\n    "id":  "canary-1",\n\t"key": "canary-2\\ncanary-3"\n}'
KEY = "\n".join(["-----BEGIN KEY-----", "canary" * 10, "other" * 9, "--END KEY--"])


def said(value: str, text: str) -> str:
    """Return what is kept of a text, when a target was told this value."""
    reach = Reach({"token": value})
    reach.secret("token")
    return reach.masked(text)


@pytest.mark.parametrize(
    "written",
    [
        TOKEN,
        json.dumps(TOKEN)[1:-1],
        json.dumps(TOKEN, ensure_ascii=False)[1:-1],
        quote(TOKEN, safe=""),
        TOKEN.encode().hex(),
        TOKEN.encode().hex().upper(),
        base64.b64encode(TOKEN.encode()).decode().rstrip("="),
    ],
)
def test_it_is_masked_however_it_is_written(written: str) -> None:
    assert said(TOKEN, f"a {written}, b").startswith(f"a {MASK}")
    assert written[:8] not in said(TOKEN, f"a {written}, b")


@pytest.mark.parametrize("user", ["", "a", "ab", "abc"])
def test_basic_authentication_is_masked_behind_any_user(user: str) -> None:
    raw = f"{user}:{TOKEN}:{user}".encode()
    for encode in base64.b64encode, base64.urlsafe_b64encode:
        kept = said(TOKEN, f"> Authorization: Basic {encode(raw).decode()}")
        left = kept.partition("Basic ")[2].replace(MASK, "")
        assert (MASK in kept, len(left) <= 12 + 2 * len(user)) == (True, True), kept


def test_a_document_is_masked_in_one_line_too() -> None:
    for text in DOCUMENT, clean.line(DOCUMENT), json.dumps(DOCUMENT):
        assert "canary" not in said(DOCUMENT, f"told: {text}"), text


def test_a_key_is_masked_line_by_line() -> None:
    indented = KEY.replace("\n", "\r\n    > ")
    for text in KEY, clean.line(KEY), indented, json.dumps(KEY):
        kept = said(KEY, text)
        assert ("canary" in kept, "other" in kept) == (False, False), kept


@pytest.mark.parametrize("shown", range(1, len(TOKEN) + 1))
def test_its_half_is_masked_where_a_line_was_cut(shown: int) -> None:
    fill = "x" * (clean.LINE_CHARS - 1 - shown)
    line = clean.line(fill + TOKEN + " and more")
    kept = said(TOKEN, f"could not be asked: {line}; then")
    assert "cana" not in kept
    assert (kept.count(MASK), kept.endswith("…; then")) == (shown >= 4, True)


@pytest.mark.parametrize("shown", range(4, len(TOKEN) - 3))
def test_both_halves_are_masked_around_what_was_cut_away(shown: int) -> None:
    head, tail = clean.HEAD_CHARS, clean.TAIL_CHARS
    text = "x" * (head - shown) + TOKEN + "…" + TOKEN
    text += "x" * (tail - len(TOKEN) + shown)
    kept = said(TOKEN, clean.text(text))
    assert "characters cut" in kept
    assert kept.count(MASK) == 2
    assert (TOKEN[:4] in kept, TOKEN[-4:] in kept) == (False, False)


@pytest.mark.parametrize(
    "note",
    [
        "[… 50 characters cut …]",
        "[… 50 bytes cut …]",
        "[... 50 bytes cut ...]",
        "[... cut ...]",
    ],
)
def test_both_halves_are_masked_whoever_cut(note: str) -> None:
    """An agent, a program's guard, a wrapper; the note may be in a line by now."""
    text = f"{TOKEN[:6]}\n{note}\n{TOKEN[-6:]} is wrong"
    assert said(TOKEN, text) == f"{MASK}\n{note}\n{MASK} is wrong"
    assert said(TOKEN, clean.line(text)) == f"{MASK} {note} {MASK} is wrong"


def test_what_is_only_like_it_is_left() -> None:
    for text in "cana", "canary/5d1c…", "x…cana", "a [… 5 characters cut …] b", "":
        assert said(TOKEN, text) == text
    assert said("abc", "abc…") == "abc…"


def test_many_secrets_and_many_cuts_take_no_time() -> None:
    """A worker's one event loop does this for each report of its whole fleet."""
    reach = Reach({f"s{n}": f"canary-{n:05}-{'x' * 30}" for n in range(10)})
    for number in range(10):
        reach.secret(f"s{number}")
    texts = ["canary-…" * 16_000, "…" * 131_072, "canary-0000" * 12_000]
    began = time.process_time()
    for text in texts:
        reach.masked(text)
    assert time.process_time() - began < 1


def test_ways_are_as_long_as_what_is_looked_for() -> None:
    assert all(len(way) >= masking.LEAST_CHARS for way in masking.ways("a\nbc\ndefg"))
    assert "defg" in masking.ways("a\nbc\ndefg")

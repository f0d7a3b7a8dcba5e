"""Whatever a target sends becomes text that a database and a page can take."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deployctl.engine import clean

_ANY = st.binary() | st.text(st.characters(exclude_categories=()))


@given(_ANY)
@example(b"\x00\xff\xfe\x1b[31mred")
@example("\ud800 lone")
@example("\x1b]0;title\x07x")
def test_text_is_storable_and_printable(raw: bytes | str) -> None:
    cleaned = clean.text(raw)
    cleaned.encode("utf-8")
    json.loads(json.dumps(cleaned))
    assert all(char in "\n\t" or ord(char) >= 32 for char in cleaned)
    assert not any(0x7F <= ord(char) < 0xA0 for char in cleaned)
    assert clean.text(cleaned) == cleaned


@given(_ANY)
def test_line_is_one_line(raw: bytes | str) -> None:
    cleaned = clean.line(raw, limit=40)
    assert len(cleaned) <= 40
    assert len(cleaned.splitlines()) <= 1


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        (b"plain \xc3\xbc\n", "plain ü\n"),
        (b"a\x00b", "ab"),
        (b"\xff\xfe", "��"),
        ("\ud83d", ""),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;evil title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("10%\r20%\r\n", "10%\n20%\n"),
        ("\u202eevil", "evil"),
        ("<script>x</script>", "<script>x</script>"),
    ],
)
def test_known_filth(raw: bytes | str, cleaned: str) -> None:
    assert clean.text(raw) == cleaned


def test_the_middle_is_cut_and_counted() -> None:
    cut = clean.text("a" * 10 + "b" * 90 + "c" * 10, head=10, tail=10)
    assert cut == "a" * 10 + "\n[… 90 characters cut …]\n" + "c" * 10


@pytest.mark.parametrize(
    "note",
    [
        "[… 900 characters cut …]",
        "[… 900 bytes cut …]",
        "[... 900 bytes cut ...]",
        "[... cut ...]",
    ],
)
def test_who_cut_first_knows_how_much(note: str) -> None:
    """An agent, a program's guard, a wrapper; and we: a report is cleaned too."""
    sent = "a" * clean.HEAD_CHARS + f"\n{note}\n" + "c" * clean.TAIL_CHARS
    assert clean.text(sent) == sent
    # Elsewhere it is a part of the text, and no reason to keep more.
    elsewhere = f"\n{note}\n" + "a" * (clean.HEAD_CHARS + clean.TAIL_CHARS)
    assert note in clean.text(elsewhere)
    assert f"[… {len(note) + 2} characters cut …]" in clean.text(elsewhere)


def test_a_flood_is_cut_once() -> None:
    once = clean.text("x" * 1_000_000)
    assert "[… 868928 characters cut …]" in once
    assert clean.text(once) == once


def test_a_flood_is_bounded() -> None:
    flood = b"\x1b[0;" * 500_000
    assert len(clean.text(flood)) < clean.HEAD_CHARS + clean.TAIL_CHARS + 100

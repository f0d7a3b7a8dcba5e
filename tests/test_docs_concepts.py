"""What docs/concepts.md says of states and rules is what the code has."""

from __future__ import annotations

import inspect
import re

import pytest

from strategies import rules
from strategies.states import OperationState, State
from tests.support import diagrams

TEXT = diagrams.DOCUMENT.read_text()


def section(title: str) -> str:
    """Return the part under a heading."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """Return the words in code of each row's first cell."""
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return [word for row in rows for word in re.findall(r"`(\w+)`", row)]


def test_the_diagrams_are_drawn_from_the_tables() -> None:
    """`python -m tests.support.diagrams` draws them anew."""
    assert diagrams.drawn(TEXT) == TEXT


def test_a_state_that_is_added_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {**diagrams.TRANSITIONS, State.COMPLETED: frozenset({State.DRAFT})}
    monkeypatch.setattr(diagrams, "TRANSITIONS", changed)
    assert diagrams.drawn(TEXT) != TEXT


def test_each_state_is_explained_once() -> None:
    assert first_cells(section("A deployment")) == [state.value for state in State]
    kept = [s.value for s in OperationState if s is not OperationState.RELEASED]
    assert first_cells(section("An operation")) == kept


def test_each_rule_that_halts_is_explained() -> None:
    named = set(re.findall(r'Halted\(\s*"(\w+)"', inspect.getsource(rules)))
    explained = set(first_cells(section("Why it stops")))
    assert named <= explained
    assert explained - named == {"targets_failed", "nothing_succeeded"}

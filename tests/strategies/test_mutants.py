"""Seeded faults of the core: each of them is found, and right code never is."""

from __future__ import annotations

from functools import partial

import pytest

from strategies import operations, rules
from strategies.operations import after_failure
from strategies.states import OperationState
from tests.mutants.edits import edit, reword
from tests.mutants.record import Mutant
from tests.mutants.runner import ALL, main
from tests.strategies.walks import walk

CORE = [mutant for mutant in ALL if mutant.area == "core"]


@pytest.mark.parametrize("mutant", CORE, ids=lambda mutant: mutant.name)
def test_the_net_finds_a_seeded_fault(mutant):
    """Each of these faults, put into the machine, breaks an invariant."""
    assert mutant.found_by()


def test_names_are_unique_and_said():
    """Each fault has a name of its own, and a sentence."""
    assert len({mutant.name for mutant in ALL}) == len(ALL)
    assert all(mutant.fault.endswith(".") for mutant in ALL)


def test_a_fault_that_nothing_finds_fails_the_run(capsys, monkeypatch):
    """The runner says so, and how many."""
    harmless = Mutant("harmless", "core", lambda patch: None, lambda: None)
    monkeypatch.setattr("tests.mutants.runner.ALL", [harmless])
    assert main([]) == 1
    assert "NOT FOUND" in capsys.readouterr().out


def test_what_finds_right_code_too_fails_the_run(capsys, monkeypatch):
    """A hunt that always finds something finds no fault."""
    found = Mutant("found", "core", lambda patch: None, lambda: "all sorts of things")
    monkeypatch.setattr("tests.mutants.runner.ALL", [found])
    assert main([]) == 1
    assert "NO HUNT" in capsys.readouterr().out


def test_a_fault_that_the_code_has_outgrown_is_no_fault(monkeypatch):
    """What is to be changed stands there once; else nothing is changed."""
    with pytest.raises(LookupError, match="0 times"):
        edit(monkeypatch, rules.actions, ("what it never said", "what it says"))
    with pytest.raises(LookupError, match="not once"):
        edit(monkeypatch, rules.actions, ("return", "yield"))
    with pytest.raises(LookupError, match="0 times"):
        reword(monkeypatch, rules, "__name__", "what it never said", "")


def test_an_edited_function_is_another_for_all_who_call_it(monkeypatch):
    """Whoever has imported it by name calls the edited one, until it is taken out."""
    last = partial(after_failure, attempt=9, retries=0, may_claim=True)
    with monkeypatch.context() as patch:
        edit(patch, operations.after_failure, ("else OperationState.FAILED", "else 1"))
        assert last() == 1
    assert last() is OperationState.FAILED


def test_a_fault_is_taken_out_again():
    """After a hunt the code is as it was."""
    for mutant in CORE[:3]:
        mutant.found_by()
    walk(4, kind="rolling")

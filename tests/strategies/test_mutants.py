"""Seeded faults of the core: each of them is found, and right code never is."""

from __future__ import annotations

import pytest

from tests.mutants.__main__ import ALL, main
from tests.mutants.record import Mutant
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
    harmless = Mutant("harmless", "test", lambda patch: None, lambda: None)
    monkeypatch.setattr("tests.mutants.__main__.ALL", [harmless])
    assert main([]) == 1
    assert "NOT FOUND" in capsys.readouterr().out


def test_a_fault_is_taken_out_again():
    """After a hunt the code is as it was."""
    for mutant in CORE[:3]:
        mutant.found_by()
    walk(4, kind="rolling")

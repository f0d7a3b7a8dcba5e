"""Seeded faults of services and engine: each of them is found.

Their hunts are tests of this suite, which pass without the fault; `make mutants` sees
to that first.
"""

from __future__ import annotations

import pytest

from tests.mutants.record import Mutant
from tests.mutants.runner import ALL, CORE

pytestmark = pytest.mark.django_db(transaction=True)
FAULTS = [mutant for mutant in ALL if mutant.area != CORE]


@pytest.mark.parametrize("mutant", FAULTS, ids=lambda mutant: mutant.name)
def test_the_suite_finds_a_seeded_fault(mutant: Mutant) -> None:
    assert mutant.found_by()

"""Changed copies of frozen values."""

from __future__ import annotations

import dataclasses

import pytest

from strategies.tally import Tally
from strategies.values import replace


def test_it_does_as_the_standard_library_does():
    """The copy is equal, the original is left as it was."""
    tally = Tally(pending=3)
    changed = replace(tally, pending=2, running=1)
    assert changed == dataclasses.replace(tally, pending=2, running=1)
    assert hash(changed) == hash(dataclasses.replace(tally, pending=2, running=1))
    assert tally == Tally(pending=3)


def test_a_misspelt_field_is_an_error():
    """Nothing is stored beside the fields."""
    with pytest.raises(TypeError, match=r"Tally has no fields \['runing'\]"):
        replace(Tally(), runing=1)

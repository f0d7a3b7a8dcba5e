"""`manage.py history`: a list that other programs can cut, and one story."""

from __future__ import annotations

import pytest

from deployctl.models import Application
from tests.support.fleet import Place, simulated
from tests.terminal.typing import typed

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_list_has_a_line_for_each_with_tabs_between() -> None:
    place = Place(simulated(2))
    row = place.deploy()
    told = typed("history", place.application.name, "--env", place.environment.name)
    (line,) = told.out.splitlines()
    number, at, what, environment, _, count, by = line.split("\t")
    assert (number, environment) == (str(row.pk), str(place.environment))
    assert at.endswith(" UTC")
    assert what == f"{place.application} 1.0 -> {row.version}"
    assert (count, by) == ("2 targets", "by ana")


def test_a_tab_in_what_somebody_typed_ends_no_cell() -> None:
    place = Place(simulated(1))
    place.deploy()
    Application.objects.update(name="shop\t\x1b[2J")
    (line,) = typed("history").out.splitlines()
    assert line.count("\t") == 6
    assert r"shop\t\x1b[2J" in line


def test_a_number_tells_the_story() -> None:
    row = Place(simulated(1)).deploy()
    lines = typed("history", row.pk).out.splitlines()
    assert "UTC  ana " in lines[0]
    assert "\\t" not in "".join(lines)

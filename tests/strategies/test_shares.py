"""Counts, percentages and durations: exact, and refused with a sentence."""

from __future__ import annotations

from fractions import Fraction

import pytest

from strategies.shares import Share, parse, seconds, written_seconds


@pytest.mark.parametrize(
    ("text", "total", "floor", "ceil"),
    [
        pytest.param("29%", 100, 29, 29, id="A9-ansible-says-28"),
        pytest.param("28%", 25, 7, 7, id="A9-float-ceil-says-8"),
        pytest.param("30%", 20, 6, 6, id="A14"),
        pytest.param("85%", 10, 8, 9, id="A21"),
        pytest.param("0.01%", 10_000, 1, 1, id="one-basis-point"),
        pytest.param("33.33%", 3, 0, 1, id="just-less-than-a-third"),
        pytest.param("100%", 7, 7, 7, id="all"),
        pytest.param("0%", 7, 0, 0, id="none"),
        pytest.param("5", 3, 3, 3, id="a-count-is-at-most-all"),
    ],
)
def test_shares_are_exact(text, total, floor, ceil):
    """A share of a total is computed in integers, rounded the way that is asked."""
    assert (parse(text).floor(total), parse(text).ceil(total)) == (floor, ceil)


def test_A9_every_percentage_of_every_fleet():
    """All whole percentages of all fleets up to 300 agree with exact fractions."""
    wrong = [
        (total, percent)
        for total in range(1, 301)
        for percent in range(101)
        if parse(f"{percent}%").floor(total) != Fraction(percent * total, 100) // 1
        or parse(f"{percent}%").ceil(total) != -(Fraction(-percent * total, 100) // 1)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        "0",
        "-1",
        "0%",
        "0.00%",
        "101%",
        "100.01%",
        "1000%",
        2.5,
        "2.5",
        True,
        None,
        "",
        "%",
        "x",
        "1e3",
        "10 000",
        "٣",
        "1%%",
        "0.001%",
        "9999999999",
        [3],
    ],
)
def test_A18_refused_shares(value):
    """What is no count of at least one and no percentage in (0, 100] is refused."""
    with pytest.raises(ValueError, match="must be"):
        parse(value, least=1)


@pytest.mark.parametrize("value", [0, "0", "0%", 1, "100%"])
def test_shares_that_may_be_none(value):
    """Without a least, zero is a share too."""
    assert parse(value).floor(10) in (0, 1, 10)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("3", 3),
        (" 30% ", "30%"),
        ("12.5%", "12.5%"),
        ("12.50 %", "12.5%"),
        ("0.05%", "0.05%"),
        (7, 7),
    ],
)
def test_written_shares_read_back(text, written):
    """The written form is the shortest one, and gives the same share again."""
    assert parse(text).written() == written
    assert parse(parse(text).written()) == parse(text)


def test_share_of_nothing_said():
    """A share counts or divides; the empty one is nothing."""
    assert Share().floor(10) == 0


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (5, 5.0),
        (2.5, 2.5),
        ("0.125", 0.125),
        (" 60 ", 60.0),
        ("0", 0.0),
        (0.0004, 0.0),
        (0.1 + 0.2, 0.3),
    ],
)
def test_seconds_are_exact_to_the_millisecond(value, read):
    """Durations are read as numbers or decimal text."""
    assert seconds(value) == read


@pytest.mark.parametrize(
    "value",
    [
        -1,
        "-1",
        True,
        None,
        "",
        "x",
        "1/3",
        "1e999999999",
        "nan",
        float("nan"),
        float("inf"),
        float("-inf"),
        10**12,
        "9" * 4000,
        "٣",
        [1],
    ],
)
def test_refused_seconds(value):
    """What is no duration up to a year is refused, and at once."""
    with pytest.raises(ValueError, match="must be"):
        seconds(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [(5, "5"), (5.0, "5"), (0.125, "0.125"), (2.5, "2.5"), (0, "0"), (600, "600")],
)
def test_durations_are_written_as_text(value, written):
    """No float stands in a plan."""
    assert written_seconds(value) == written
    assert seconds(written_seconds(value)) == value

"""Each option says what it does, in one place: docstrings, read by pages and manual."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from strategies import DeploymentStrategy, Health, create_strategy, names
from strategies.base import CALLBACKS
from strategies.explained import Explained, explained
from strategies.registry import explained_options, option_names

MANUAL = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text()


@pytest.mark.parametrize("name", names())
def test_no_option_is_left_unexplained(name):
    """All that can be typed is told of; what only the library calls is not typed."""
    typed = {*option_names(name)} - {"health", *CALLBACKS}

    told = explained_options(name)

    assert {"min_healthy", "health_deadline_seconds"} <= typed
    assert told.keys() == typed
    for key, each in told.items():
        assert each.name == key
        assert each.text[0].isupper(), each
        assert each.text.endswith("."), each
        assert "`" not in each.text, "a page shows it as it is"


@pytest.mark.parametrize(
    ("name", "option", "default"),
    [
        ("rolling", "delay_seconds", "5 s"),
        ("rolling", "on_failure", "halt"),
        ("canary", "on_failure", "rollback"),
        ("canary", "success_threshold", "0.95"),
        ("canary", "max_failures", ""),
        ("blue_green", "auto_promote", "no"),
        ("blue_green", "retain_seconds", "1800 s"),
        ("rolling", "health_deadline_seconds", "300 s"),
    ],
)
def test_defaults_are_those_where_people_watch(name, option, default):
    assert explained_options(name)[option].default == default


def test_a_class_tells_of_more_than_its_base_and_may_say_it_anew():
    @dataclass
    class Base:
        """A base.

        Attributes:
            one: what one does,
                on two lines.
            two: the second.

        Raises:
            three: not an attribute.
        """

        one: int = 1
        two: bool = True

    @dataclass
    class More(Base):
        """More.

        Attributes:
            two: said anew.
            nobody: no field at all.
        """

        silent: str = ""

    assert list(explained(More, {"one": 2}).values()) == [
        Explained("one", "What one does, on two lines.", "2"),
        Explained("two", "Said anew.", "yes"),
    ]


def test_what_was_stripped_of_its_docstring_tells_nothing():
    """As `python -OO` does."""

    @dataclass
    class Bare:
        one: int = 1

    assert explained(Bare) == {}
    assert explained_options("nobody") == {}
    assert option_names("nobody") == ()


def test_the_manual_has_a_row_for_each_option():
    common = explained(DeploymentStrategy)
    rows = [row(each) for each in (*common.values(), *explained(Health).values())]
    for name in names():
        own = explained(type(create_strategy(name)))
        rows += [row(each) for key, each in own.items() if common.get(key) != each]
    missing = [each for each in rows if f"\n{each}\n" not in MANUAL]
    assert missing == []


def row(each: Explained) -> str:
    """Return an option as a row of the manual's tables."""
    return f"| `{each.name}` | {each.default} | {each.text} |"

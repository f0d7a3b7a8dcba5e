"""Faults of commands: keys, stale pages, and returns that come too late."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployctl.services import commands, replies
from tests.mutants.edits import edit
from tests.mutants.hunts import by_test
from tests.mutants.record import Hunt, Mutant
from tests.services import test_commands


def key_is_ignored(patch: pytest.MonkeyPatch) -> None:
    """The same button pressed again is another command."""
    edit(patch, replies.once, ("key=key).first()", "key=key, pk=0).first()"))


def key_without_its_body(patch: pytest.MonkeyPatch) -> None:
    """A key gives its first answer whatever is asked under it."""
    edit(patch, replies.once, ("stored.body_hash != digest", "not digest"))


def key_without_its_person(patch: pytest.MonkeyPatch) -> None:
    """A key gives the answer that somebody else got."""
    edit(patch, replies.once, ("filter(actor_id=by.user_id, key", "filter(key"))


def stale_pages_go(patch: pytest.MonkeyPatch) -> None:
    """A go from a page that is older than the deployment is done."""
    changed = ("expected != turn.row.control_version", "expected is None")
    edit(patch, commands._pressed, changed)


def overtaken_and_live_later(patch: pytest.MonkeyPatch) -> None:
    """A return looks whether it was overtaken before others are kept from starting."""
    change = ("filter(pk=turn.id).update", "filter(pk=0).update")
    edit(patch, commands._be_live_unless_overtaken, change)


HUNTED: dict[Callable[[pytest.MonkeyPatch], None], Hunt] = {
    key_is_ignored: by_test(test_commands.test_twenty_presses_at_once_are_one_command),
    key_without_its_body: by_test(
        test_commands.test_the_same_key_for_something_else_is_an_error
    ),
    key_without_its_person: by_test(test_commands.test_two_people_may_use_the_same_key),
    stale_pages_go: by_test(
        test_commands.test_a_go_from_a_stale_page_is_refused, "resume"
    ),
    overtaken_and_live_later: by_test(
        test_commands.test_nobody_starts_and_ends_between_the_look_and_the_return
    ),
}
MUTANTS = [
    Mutant(fault.__name__, "services", fault, hunt) for fault, hunt in HUNTED.items()
]

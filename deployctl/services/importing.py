"""A file's rows against a fleet: what would be done, and doing it, all or nothing.

What a file says is read in `inventories`; whether a kind can use a target's address and
settings, whoever calls says: kinds are the engine's affair.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from django.db import transaction

from deployctl.inventories.rows import Inventory, Problems, Row
from deployctl.models import Application, Environment
from deployctl.services import audit
from deployctl.services.changing import (
    Change,
    Known,
    State,
    digest,
    known,
    refuse_moved,
    same,
    write,
)
from deployctl.services.people import Actor, require

#: What is wrong with a target, by `address` or setting; raises LookupError for a kind
#: that there is none of.
Judge: TypeAlias = Callable[[str, str, Mapping[str, object]], Mapping[str, str]]
#: So many targets are named in an audit entry; their number is always there.
NAMED = 100
_ENCODER = json.JSONEncoder(sort_keys=True)
MISSING = "is not in the file that was imported"


class Wrong(Exception):
    """The file cannot be imported; `problems` say why. Nothing was changed."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        super().__init__(f"{problems.count:,} problems")


@dataclass(frozen=True)
class Import:
    """What importing a file would do to a fleet.

    Attributes:
        added: targets that are not there yet, or were removed.
        changed: those that differ, in what the file speaks of.
        same: how many it would leave as they are.
        missing: the names in the fleet that the file has not.
        disabled: those of them that are disabled because of it.
        versions_kept: for how many the file names another version than is recorded,
            which only a deployment changes.
        digest: of all that would be done.
    """

    added: list[Change] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    same: int = 0
    missing: list[str] = field(default_factory=list)
    disabled: list[Change] = field(default_factory=list)
    versions_kept: int = 0
    digest: str = ""


def preview(
    application: Application,
    environment: Environment,
    inventory: Inventory,
    judge: Judge,
    *,
    disable_missing: bool = False,
) -> Import:
    """Return what importing would do; nothing is changed.

    Raises:
        Wrong: with the problems of the file.
    """
    there = known(application, environment, lock=False)
    return _compared(inventory, there, judge, disable_missing)


def import_targets(
    application: Application,
    environment: Environment,
    inventory: Inventory,
    judge: Judge,
    *,
    by: Actor,
    seen: str | None = None,
    disable_missing: bool = False,
) -> Import:
    """Import what a file says into a fleet, all or nothing; return what was done.

    Args:
        application: whose targets they are.
        environment: where.
        inventory: the file.
        judge: what is wrong with a target of a kind.
        by: who imports it.
        seen: the digest of the preview that they looked at; None if at none.
        disable_missing: disable those in the fleet that the file has not.

    Raises:
        NotAllowed: if this person may not.
        Wrong: with the problems of the file.
        Moved: what would be done is not what was seen.
        InUse: if a live deployment has still to act on one that is changed.
    """
    require(by, "import targets", environment.name)
    with transaction.atomic():
        there = known(application, environment, lock=True)
        found = _compared(inventory, there, judge, disable_missing)
        refuse_moved(seen, found.digest)
        changes = [*found.added, *found.changed, *found.disabled]
        if changes:
            write(application, environment, changes)
            after = {"application": application.name, **_told(found)}
            audit.record(by, "targets.imported", environment, after=after)
    return found


def _told(found: Import) -> dict[str, Any]:
    parts = {
        "added": found.added,
        "changed": found.changed,
        "disabled": found.disabled,
    }
    counts: dict[str, Any] = {name: len(each) for name, each in parts.items()}
    named = {
        f"{name}_targets": [change.name for change in each[:NAMED]]
        for name, each in parts.items()
        if each
    }
    return counts | named


def _compared(
    inventory: Inventory,
    there: Mapping[str, Known],
    judge: Judge,
    disable_missing: bool,
) -> Import:
    problems = replace(inventory.problems, first=[*inventory.problems.first])
    judged = _Judged(judge)
    added: list[Change] = []
    changed: list[Change] = []
    equal = kept = 0
    for row in inventory.rows:
        change = _change(row, there.get(row.name))
        before, after = change.before, change.after
        said = row.texts.get("version")
        kept += bool(said and said != after.version)
        if before == after and _same_types(before.settings, after.settings):
            equal += 1
            continue
        for where, reason in judged.wrong(change):
            problems.add(row.line, where, reason)
        (changed if before else added).append(change)
    if problems.count:
        problems.first.sort(key=lambda each: each.line)
        raise Wrong(problems)
    names = {row.name for row in inventory.rows}
    missing = sorted(
        name
        for name, each in there.items()
        if name not in names and not each.is_removed
    )
    disabled = [*_disabled(there, missing)] if disable_missing else []
    return Import(
        *(added, changed, equal, missing, disabled, kept),
        digest=digest([*added, *changed, *disabled]),
    )


def _change(row: Row, at: Known | None) -> Change:
    """Return what a row makes of a target; one that was removed begins anew."""
    before = at.state if at is not None and not at.is_removed else None
    base = before or State()
    texts = row.texts
    after = State(
        address=texts.get("address", base.address),
        kind=texts.get("kind", base.kind),
        slot=texts.get("slot", base.slot or "") or None,
        version=base.version or texts.get("version") or None,
        labels=_merged(base.labels, row.labels),
        settings=_merged(base.settings, row.settings),
        disabled=base.disabled,
    )
    return Change(row.name, at.id if at else None, before, after)


def _merged(before: Mapping[str, Any], said: Mapping[str, Any]) -> Mapping[str, Any]:
    if not said:
        return before
    merged = {**before, **said}
    # What is stored as null is nothing as well, and stays.
    return {
        name: value
        for name, value in merged.items()
        if value is not None or (name in before and before[name] is None)
    }


def _same_types(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether equal settings are the same: True is not 1."""
    return all(same(value, after[name]) for name, value in before.items())


def _disabled(there: Mapping[str, Known], missing: list[str]) -> Iterator[Change]:
    for name in missing:
        state = there[name].state
        if not state.disabled:
            yield Change(name, there[name].id, state, replace(state, disabled=MISSING))


class _Judged:
    """Asks the judge once for what is equal: in a large fleet most settings are."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}

    def wrong(self, change: Change) -> list[tuple[str, str]]:
        """Return (field, reason) for what its kind has against it."""
        before, after = change.before, change.after
        if not after.kind:
            return [("kind", "is needed for a new target")]
        if before and (before.kind, before.address, before.settings) == (
            *(after.kind, after.address),
            after.settings,
        ):
            return []
        key = after.kind, after.address, _ENCODER.encode(after.settings)
        if key not in self._found:
            self._found[key] = list(self._asked(after))
        return self._found[key]

    def _asked(self, state: State) -> Iterator[tuple[str, str]]:
        try:
            found = self._judge(state.kind, state.address, state.settings)
        except LookupError as error:
            yield "kind", str(error)
            return
        for name, reason in found.items():
            yield name if name == "address" else f"settings.{name}", reason

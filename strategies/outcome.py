"""What a run came to, said as a `DeploymentResult`; it reads rows and changes none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from strategies.ledger import Ledger
from strategies.rows import Row
from strategies.states import Direction, Intent, Kind, OperationState, State
from strategies.steps import Deploy
from strategies.types import DeploymentResult, DeploymentState

_S = OperationState


@dataclass(frozen=True)
class _Ids:
    """Which targets came to what, each in plan order."""

    updated: list[str]
    failed: list[str]
    restored: list[str]
    unrestored: list[str]


def result_of(
    ledger: Ledger,
    *,
    errors: list[str],
    slot: str | None,
    seconds: float,
    is_return: bool,
) -> DeploymentResult:
    """Return what a ledger came to.

    Args:
        ledger: at rest, or held for a person who is not there.
        errors: what callbacks said, in the order in which it happened.
        slot: where traffic goes now, None where no traffic is led.
        seconds: how long it took.
        is_return: whether it only took back what was touched before.
    """
    rest, hold = ledger.progress.rest, ledger.progress.hold
    # A hold asks for a person. Without one it has failed, however far it had come.
    state = DeploymentState.of(rest.state if rest else State.FAILED)
    ids = _ids(ledger, is_return=is_return)
    reason = rest.reason if rest else (hold.rule if hold else None)
    if reason and not errors:
        errors = [f"stopped by rule {reason}" + (f": {hold.reason}" if hold else "")]
    said = {
        "no_op": bool(rest and rest.outcome == "no_op"),
        "outcome": rest.outcome if rest else "",
        "reason": reason,
        "halt": _halt(ledger),
        "stopped_at_stage": _stage(ledger),
        "active_slot": slot,
        "failed_targets": ids.failed,
        "skipped_targets": [skipped.id for skipped in ledger.plan.skipped],
        "restored_targets": ids.restored,
        "unrestored_targets": ids.unrestored,
        "notices": list(ledger.plan.notices),
    }
    updated, failed = ids.updated, ids.failed
    if is_return:
        updated, failed = ids.restored, ids.unrestored
    return DeploymentResult(
        success=state.is_success,
        targets_updated=len(updated),
        targets_failed=len(failed),
        duration_ms=round(seconds * 1000, 3),
        state=state,
        errors=errors,
        metadata={key: value for key, value in said.items() if value},
    )


def nothing_done(state: DeploymentState, slot: str | None) -> DeploymentResult:
    """Return the result of a call that had no target to touch."""
    said: dict[str, Any] = {"no_op": True}
    if state is DeploymentState.COMPLETED:
        said["outcome"] = "no_op"
    if slot is not None:
        said["active_slot"] = slot
    return DeploymentResult(True, 0, 0, 0.0, state, [], said)


def _ids(ledger: Ledger, *, is_return: bool) -> _Ids:
    back = {row.position: row for row in _targets(ledger, Direction.RETURN)}
    restored = {p for p, row in back.items() if row.state in (_S.SUCCEEDED, _S.SKIPPED)}
    ahead = [] if is_return else _targets(ledger, Direction.FORWARD)
    return _Ids(
        updated=_named(
            ledger,
            (
                row.position
                for row in ahead
                if row.kind is Kind.DEPLOY
                and row.state is _S.SUCCEEDED
                and row.position not in restored
            ),
        ),
        failed=_named(ledger, (r.position for r in ahead if r.state is _S.FAILED)),
        restored=_named(ledger, restored),
        unrestored=_named(ledger, back.keys() - restored),
    )


def _targets(ledger: Ledger, direction: Direction) -> list[Row]:
    rows = ledger.in_state(direction, *_S)
    return [row for row in rows if row.kind is not Kind.SHIFT]


def _named(ledger: Ledger, positions: Iterable[int]) -> list[str]:
    return [ledger.plan.targets[position].id for position in sorted(positions)]


def _halt(ledger: Ledger) -> dict[str, Any] | None:
    halt = ledger.progress.halt
    if halt is None:
        return None
    return {
        "rule": halt.rule,
        "observed": halt.observed,
        "threshold": halt.threshold,
        "sample": halt.sample,
    }


def _stage(ledger: Ledger) -> int | float | None:
    """Return the percentage of the stage that a canary was stopped in."""
    stage = ledger.progress.stage
    if ledger.progress.intent is Intent.NONE:  # it went through all of them
        return None
    if not isinstance(stage, Deploy) or stage.share_bp is None:
        return None
    whole, rest = divmod(stage.share_bp, 100)
    return stage.share_bp / 100 if rest else whole

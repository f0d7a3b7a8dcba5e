"""The buttons of a room, for one person: what pressing each would mean now.

Whether a press is allowed is decided again when it comes, by services and core.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.http import HttpRequest

from deployctl.models import Deployment
from deployctl.queries import room, stages
from deployctl.queries.plans import progress_of
from deployctl.queries.sentences import counted, doing
from deployctl.web.shell import by
from strategies.progress import Progress
from strategies.states import Direction, Intent, State
from strategies.steps import Bake, Delay, Gate, Shift

Button = dict[str, Any]


def controls(
    request: HttpRequest, row: Deployment, notice: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return the context of `deployments/_controls.html`."""
    progress = progress_of(row)
    actor = by(request)
    buttons = _buttons(progress, row.version.version) if actor.may_act else []
    hint = _hint(progress) if actor.may_act else "You may look; an administrator acts."
    asks = any(progress.unresolved(direction) for direction in Direction)
    waiting = room.unresolved(row.pk) if asks and actor.may_act else []
    return {
        "deployment": {"id": row.pk},
        "controls": {
            "control_version": row.control_version,
            "hint": hint,
            "notice": notice or {"state": "", "text": ""},
            "buttons": [{**button, "key": str(uuid4())} for button in buttons],
        },
        "unresolved": [{**each, "key": str(uuid4())} for each in waiting],
    }


def _buttons(p: Progress, version: str) -> list[Button]:
    """Return the buttons in order; the first is what a calm person would do."""
    if p.rest is not None:
        return _at_rest(p)
    if p.intent is Intent.ROLL_BACK:
        return [_resume(p, "primary")] if p.hold else [_pause("primary")]
    if p.intent is not Intent.NONE:
        return [_roll_back(p, "")] if p.claims else []
    first = _going_on(p)
    returning = [_roll_back(p, "", gap=True)] if p.claims else []
    return [*first, *returning, _abort(p, version, gap=not returning)]


def _going_on(p: Progress) -> list[Button]:
    if p.hold is not None:
        return [_resume(p, "primary")]
    waits = p.entered_at is not None and isinstance(p.current, Gate | Bake | Delay)
    if not waits:
        return [_pause("primary")]
    fully = [_fully(p)] if not p.promoted_fully and _holds_up_more(p) else []
    return [_promote(p), *fully, _pause("")]


def _holds_up_more(p: Progress) -> bool:
    return any(isinstance(s, Gate | Bake) for s in p.course.steps[p.step + 1 :])


def _promote(p: Progress) -> Button:
    label = stages.what_next(p)
    return _button("promote", label, "player-play", "primary")


def _fully(p: Progress) -> Button:
    left = sum(isinstance(s, Gate | Bake) for s in p.course.steps[p.step :])
    waits = f"{left:,} gates or bakes are" if left > 1 else "1 gate or bake is"
    effects = [
        f"{waits} passed without waiting.",
        "Batches stay as planned, and so do their verdicts: it may still halt.",
    ]
    dialog = _dialog("Promote it fully?", effects, "Promote fully")
    return _button("promote_fully", "Promote fully…", "player-play", "", dialog=dialog)


def _at_rest(p: Progress) -> list[Button]:
    state = p.rest.state if p.rest else None
    retry = [_retry(p)] if p.is_retryable else []
    if state is State.FAILED and p.claims:
        return [*([] if p.is_frozen else [_roll_back(p, "primary")]), *retry]
    if state is State.ROLLBACK_FAILED:
        return [_again(p)]
    if state is State.COMPLETED and p.claims:
        return [*retry, _take_back(p)]
    return []


def _retry(p: Progress) -> Button:
    effects = [
        f"A new deployment, linked to this one, tries {counted(p.whole.failed)} again.",
        "Each keeps the version that it had before this one, to go back to.",
    ]
    label = f"Retry {counted(p.whole.failed)}…"
    dialog = _dialog("Retry what failed?", effects, "Start the retry")
    return _button("retry", label, "refresh", "", dialog=dialog, follows=True)


def _take_back(p: Progress) -> Button:
    led = bool(p.shifts.succeeded) and not p.course.limits.returns_targets
    does = (
        "leads traffic back, and changes no target"
        if led
        else (f"takes {counted(p.touched)} back, each to its own earlier version")
    )
    effects = [
        f"A new deployment, linked to this one, {does}.",
        "It has no stages, bakes or gates.",
    ]
    label = "Lead traffic back…" if led else "Take it back…"
    dialog = _dialog("Return to what was there?", effects, "Start it")
    return _button("take_back", label, "arrow-back-up", "", dialog=dialog, follows=True)


def _button(verb: str, label: str, icon: str, style: str, **more: Any) -> Button:
    plain = {"gap": False, "dialog": None, "follows": False}
    return {**plain, "verb": verb, "label": label, "icon": icon, "style": style, **more}


def _pause(style: str) -> Button:
    return _button("pause", "Pause", "player-pause", style)


def _resume(p: Progress, style: str) -> Button:
    doubt = p.whole.unresolved + p.back.unresolved
    if not doubt:
        return _button("resume", "Resume", "player-play", style)
    who = doing(doubt, "that nobody settled counts", "that nobody settled count")
    effects = [f"{who} as failed from now on."]
    return _button(
        "resume",
        f"Resume over {counted(doubt)}…",
        "player-play",
        style,
        dialog=_dialog("Resume without an answer?", effects, "Resume anyway"),
    )


def _abort(p: Progress, version: str, *, gap: bool) -> Button:
    effects = [
        "No further target is claimed.",
        _finishing(p.open),
        f"{doing(p.whole.succeeded, 'stays', 'stay')} on {version}, and"
        f" {p.whole.pending:,} as before: nothing is rolled back.",
    ]
    return _button(
        "abort",
        "Abort…",
        "ban",
        "stop",
        gap=gap,
        dialog=_dialog("Abort this deployment?", effects, "Abort"),
    )


def _roll_back(p: Progress, style: str, *, gap: bool = False) -> Button:
    if not p.course.limits.returns_targets:
        return _lead_back(p, style, gap=gap)
    effects = [
        f"{_each_of(p.touched)} goes back to the version it had.",
        f"At most {p.course.limits.parallelism:,} at a time; the floor is kept.",
        doing(
            p.whole.pending,
            *("that was not touched is", "that were not touched are"),
        )
        + " left alone.",
    ]
    if p.course.weighs:
        effects.append("After that traffic is shared as it was before.")
    label = f"Roll back {counted(p.touched)}…"
    dialog = _dialog("Return to what was there?", effects, "Roll back")
    return _button("roll_back", label, "arrow-back-up", style, gap=gap, dialog=dialog)


def _each_of(touched: int) -> str:
    if touched == 1:
        return "What was touched"
    return f"Each of the {counted(touched)} touched"


def _finishing(count: int) -> str:
    return f"{doing(count, 'in flight finishes', 'in flight finish')} first."


def _lead_back(p: Progress, style: str, *, gap: bool) -> Button:
    led = bool(p.shifts.succeeded)
    slot = next((s.from_slot for s in p.course.steps if isinstance(s, Shift)), "")
    effects = [
        f"Traffic is led back to {slot}, and read back."
        if led
        else "Traffic has not been switched: it stays where it is.",
        "No target is changed: the other slot stays as it is now.",
    ]
    label = f"Lead traffic back to {slot}…" if led else "Give it up…"
    dialog = _dialog("Return to what was there?", effects, "Roll back")
    return _button("roll_back", label, "arrow-back-up", style, gap=gap, dialog=dialog)


def _again(p: Progress) -> Button:
    who = doing(
        p.back.failed,
        *("that could not be restored is", "that could not be restored are"),
    )
    effects = [f"{who} tried again."]
    return _button(
        "retry_rollback",
        f"Try {counted(p.back.failed)} again…",
        "refresh",
        "primary",
        dialog=_dialog("Try the roll back again?", effects, "Try again"),
    )


def _dialog(title: str, effects: list[str], confirm: str) -> dict[str, Any]:
    return {
        "title": title,
        "effects": effects,
        "reason_required": True,
        "confirm": confirm,
    }


def _hint(p: Progress) -> str:
    if p.rest is not None:
        return "It is over; nothing starts by itself."
    if p.hold is not None:
        return f"Paused; {counted(p.open)} in flight." if p.open else "Paused."
    if p.gate is not None:
        return f"It waits for you: promoting means “{stages.what_next(p)}”."
    if p.intent in (Intent.HALT, Intent.ABORT):
        return f"Stopping; {_finishing(p.open)}"
    return "Pause claims nothing more; what is in flight finishes."

"""Why a deployment stopped, as its room tells it: rule, evidence, what was done."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import F, Value
from django.db.models.functions import Coalesce

from deployctl.models import Deployment, Event, Operation
from deployctl.queries.sentences import counted, doing, required_bp, share_left
from deployctl.templatetags.deployctl import percent
from strategies.messages import Halted
from strategies.progress import Progress
from strategies.states import Direction, Intent

#: How many failed targets are shown as evidence; the rest are a table away.
MOST_EVIDENCE = 10

_RULES = {
    "max_failures": "failed targets in the fleet",
    "max_failure_percent": "failed targets in one batch",
    "whole_batch_failed": "a whole batch failed",
    "progress_deadline": "time without progress",
    "floor": "targets that must stay available",
    "shift_failed": "traffic that could not be led as planned",
    "gate_limit": "time that a person had to decide",
    "targets_failed": "failed targets before traffic was to be led to them",
    "nothing_succeeded": "targets that succeeded before traffic was to be led to them",
}


#: What a rule counts, where that is no target.
_SAMPLES = {"shift_failed": "of one switch", "gate_limit": "at one gate"}


def halt(row: Deployment, progress: Progress) -> dict[str, Any] | None:
    """Return the halt record as the band and the sections under it ask for it."""
    record = progress.halt
    if record is None:
        return None
    evidence = evidence_of(row, record)
    failed = progress.whole.failed
    return {
        "at": _halted_at(row),
        "title": f"Halted by rule {record.rule.replace('_', ' ')}",
        "lede": _lede(row, progress, evidence),
        **_measured(record, progress),
        "sample": _SAMPLES.get(record.rule) or f"of {counted(record.sample)}",
        "at_rest": progress.rest is not None,
        "choices": _choices(progress),
        "evidence": evidence,
        "evidence_title": f"{counted(failed)} failed",
        "evidence_total": failed,
        "done": _done(row, progress),
    }


def _measured(record: Halted, progress: Progress) -> dict[str, str]:
    """Return {rule, observed, threshold} in the unit in which the rule was given."""
    seen, limit = f"{record.observed:,}", f"{record.threshold:,}"
    rule = _RULES.get(record.rule, record.rule)
    required = required_bp(progress.course.steps)
    if record.rule == "success_threshold" and required is not None:
        return {
            "rule": f"{percent(required)} of a stage, and of all so far, must succeed",
            "observed": f"{percent(share_left(record))} at most: {seen} failed",
            "threshold": f"{percent(required)}: {limit} may fail",
        }
    if record.rule == "floor":
        return {"rule": rule, "observed": seen, "threshold": f"{limit} or more"}
    unit = " s" if record.rule in ("progress_deadline", "gate_limit") else ""
    threshold = f"{limit}{unit} tolerated"
    return {"rule": rule, "observed": f"{seen}{unit}", "threshold": threshold}


def _halted_at(row: Deployment) -> datetime | None:
    """Return when the rule stopped it: its event is named after its most telling fact,
    which may be the end that came with it."""
    path = {"payload__contains": {"facts": [{"kind": "Halted"}]}}
    found = Event.objects.filter(deployment_id=row.pk, **path).order_by("seq")
    return found.values_list("at", flat=True).first()


def _lede(row: Deployment, progress: Progress, evidence: list[dict[str, Any]]) -> str:
    whole, version = progress.whole, row.version.version
    if not evidence:
        run = doing(whole.succeeded, "runs", "run")
        return f"{run} {version}; nothing more is claimed."
    errors = {entry["error"] for entry in evidence}
    same = " with the same error" if len(evidence) > 1 and len(errors) == 1 else ""
    names = ", ".join(entry["name"] for entry in evidence[:3])
    more = whole.failed - min(len(evidence), 3)
    rest = f" and {more:,} more" if more > 0 else ""
    well = f"{whole.succeeded:,}" if whole.succeeded else "None"
    were = "were" if whole.succeeded > 1 else "was"
    return (
        f"{counted(whole.failed)} failed on {version}{same}: {names}{rest}."
        f" {well} had taken it and {were} healthy."
    )


def evidence_of(row: Deployment, record: Halted) -> list[dict[str, Any]]:
    """Return {name, target_id, at, attempts, error, output} of what made it halt."""
    found = (
        Operation.objects.filter(
            deployment_id=row.pk,
            direction=Direction.FORWARD,
            position__in=record.positions[:MOST_EVIDENCE],
        )
        .order_by("ended_at", "position")
        .annotate(name=Coalesce(F("target__name"), Value("the router")))
    )
    return [
        {
            "name": each.name,
            "target_id": each.target_id,
            "at": each.ended_at,
            "attempts": each.attempt,
            "error": each.error or "no error was given",
            "output": each.output[:2000],
        }
        for each in found
    ]


def _choices(progress: Progress) -> list[dict[str, Any]]:
    """Return what may be pressed now, what is proposed first."""
    stays = progress.rest is not None and progress.intent is not Intent.ROLL_BACK
    returns = stays and progress.claims and not progress.is_frozen
    return [
        *([_way_back(progress)] if returns else []),
        *([_try_again(progress)] if progress.is_retryable else []),
    ]


def _way_back(progress: Progress) -> dict[str, Any]:
    if not progress.course.limits.returns_targets:
        return _lead_back(progress)
    touched = progress.touched
    return {
        "title": "Return to what was there",
        "proposed": True,
        "text": f"Each of the {touched:,} touched goes back to the version it had,"
        f" {progress.course.limits.parallelism:,} at a time. The others are not"
        " touched.",
        "verb": "roll_back",
        "label": f"Roll back {counted(touched)}…",
        "icon": "arrow-back-up",
    }


def _try_again(progress: Progress) -> dict[str, Any]:
    failed = counted(progress.whole.failed)
    return {
        "title": "Try what failed again",
        "proposed": False,
        "text": f"A new deployment, linked to this one, tries {failed} again, under the"
        " same rules. The others stay as they are.",
        "verb": "retry",
        "label": f"Retry {failed}…",
        "icon": "refresh",
    }


def _lead_back(progress: Progress) -> dict[str, Any]:
    led = progress.shifts.succeeded
    text = (
        "Traffic is led back to the slot that it came from; no target is changed."
        if led
        else "Traffic stays where it is, and the other slot as it is now."
    )
    return {
        "title": "Return to what was there",
        "proposed": True,
        "text": text,
        "verb": "roll_back",
        "label": "Lead traffic back…" if led else "Roll back…",
        "icon": "arrow-back-up",
    }


def _done(row: Deployment, progress: Progress) -> list[dict[str, Any]]:
    untouched = progress.whole.pending
    back = progress.back
    returned = progress.return_planned
    lines = [
        {
            "happened": True,
            "text": "No target was claimed after the halt."
            if not progress.open
            else f"Nothing more is claimed; {progress.open:,} in flight finish.",
        },
        {
            "happened": True,
            "text": f"{doing(untouched, 'was', 'were')} not touched."
            if untouched
            else "All targets were touched.",
        },
    ]
    if returned:
        text = f"{back.succeeded + back.skipped:,} of {back.total:,} touched are back."
        lines.append({"happened": True, "text": text})
    else:
        policy = progress.course.limits.on_failure
        text = f"Nothing was rolled back. This plan says: {policy}."
        lines.append({"happened": False, "text": text})
    return lines


def hold(progress: Progress) -> dict[str, Any] | None:
    """Return who paused it and why; None while nothing is held."""
    held = progress.hold
    if held is None:
        return None
    count = progress.open
    text = (
        f"Nothing more is claimed; {counted(count)} in flight finish."
        if count
        else "Nothing is in flight, and nothing is claimed until somebody resumes."
    )
    by = f"rule {held.rule.replace('_', ' ')}" if held.rule else held.by
    return {"by": by, "at": progress.held_at, "reason": held.reason, "text": text}

"""The head of the board: a column for each stage, or for each batch of one stage.

A stage is told with its waits and its gate, since these belong to it. It counts
letters that were read elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from deployctl.queries import grid, looks, stages
from deployctl.queries.sentences import counted
from deployctl.queries.traffic import percent
from deployctl.templatetags.deployctl import duration
from strategies.progress import Progress
from strategies.steps import Bake, Course, Delay, Deploy, Gate, Shift, Verify, Weigh

Head = dict[str, Any]


def heads(p: Progress, batches: Mapping[str, Any]) -> list[Head]:
    """Return {name, share, state, parts, count, lines, until_at} a column, in order."""
    numbers = grid.stages(p.course)
    if len(numbers) < 2:
        return [_batch(row) for row in batches["rows"]]
    return [
        _stage(p, count, number, batches["letters"].get(number))
        for count, number in enumerate(numbers, 1)
    ]


def _batch(row: Mapping[str, Any]) -> Head:
    same = {name: row[name] for name in ("name", "state", "parts", "count")}
    lines = [counted(row["count"]), row["says"]]
    return {**same, "share": "", "lines": lines, "until_at": None}


def _stage(p: Progress, count: int, number: int, read: Counter[str] | None) -> Head:
    step = p.course.steps[number]
    assert isinstance(step, Deploy | Verify)
    size = step.stop - step.start
    letters = read or Counter({"p": size})
    state, says, until_at = _stands(p, number, letters)
    adds = counted(size) if not step.start else f"+{size:,}, then {step.stop:,}"
    share = step.share_bp if isinstance(step, Deploy) else None
    traffic = _traffic(p.course, number)
    looked = " looked at" if isinstance(step, Verify) else ""
    return {
        "name": f"Stage {count}",
        "share": percent(share) if share is not None else "",
        "state": state,
        "parts": looks.parts_of(letters),
        "count": size,
        "lines": [f"{adds}{looked}", says, *traffic, _behind(p.course, number)],
        "until_at": until_at,
    }


def _first(course: Course, number: int) -> int:
    """Return the number of the first step that belongs to the stage of a range."""
    weighs = number > 0 and isinstance(course.steps[number - 1], Weigh)
    return number - 1 if weighs else number


def _last(course: Course, number: int) -> int:
    """Return the number of the last step that belongs to the stage of a range.

    What adds no target has no column: its share of traffic, and its bake, are the
    stage's before it.
    """
    later = (n for n in grid.stages(course) if n > number)
    return next((_first(course, n) for n in later), len(course.steps)) - 1


def _traffic(course: Course, number: int) -> list[str]:
    """Return a line on how much of the traffic a stage has, where that is set."""
    own = course.steps[_first(course, number) : _last(course, number) + 1]
    shares = [step.weights for step in own if isinstance(step, Weigh)]
    if not shares:
        return []
    said = ", then ".join(
        percent(each.basis_points) if each.count else "all as it was" for each in shares
    )
    return [f"traffic: {said}"]


def _stands(p: Progress, number: int, letters: Counter[str]) -> tuple[str, str, Any]:
    """Return (state, words, until when) of a stage."""
    back = sum(letters[letter] for letter in "PRVUXSFK")
    if back:
        over = letters["S"] + letters["K"] == back
        return (
            ("rolled_back", "restored", None)
            if over
            else (
                "rolling_back",
                "returning",
                None,
            )
        )
    if _first(p.course, number) <= p.step <= _last(p.course, number):
        return _now(p)
    if p.step < number:
        return "pending", "not reached" if p.rest else "waits", None
    failed = letters["f"] + letters["g"]
    return "succeeded", f"passed, {failed:,} tolerated" if failed else "passed", None


def _now(p: Progress) -> tuple[str, str, Any]:
    """Return the same of the stage that is under way, or that was the last one."""
    step = p.current
    doing = {Bake: "bake", Delay: "wait", Gate: "gate", Weigh: "share of traffic"}
    doing |= {Shift: "switch"}
    part = next((word for kind, word in doing.items() if isinstance(step, kind)), "")
    state, says = stages.state(p, p.step)
    if state in ("failed", "skipped"):
        verb = "halted" if state == "failed" else "stopped"
        return state, f"{verb} in its {part}" if part else f"{verb} here", None
    if state != "running":
        return state, says, None
    words = {"bake": "bakes", "wait": "waits", "switch": "traffic is led over"}
    words["share of traffic"] = "its traffic is set"
    until_at = stages.until(p)
    return state, words.get(part, "under way"), until_at


def _behind(course: Course, number: int) -> str:
    """Return what follows a stage's targets before the next: its bake, its gate."""
    said = []
    for step in course.steps[number + 1 : _last(course, number) + 1]:
        if isinstance(step, Bake | Delay):
            verb = "bake" if isinstance(step, Bake) else "wait"
            said.append(f"{verb} {duration(step.seconds)}")
        elif isinstance(step, Gate):
            said.append("gate")
        elif isinstance(step, Shift) and not isinstance(step, Weigh):
            said.append("switch")
    return "then " + ", ".join(said) if said else ""

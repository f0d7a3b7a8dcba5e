"""The stages of a plan for its preview: what each tolerates, finds and lets through.

It words what the core has counted, and lays out one picture; it computes no chance.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from deployctl.queries.sentences import counted
from deployctl.templatetags.deployctl import duration
from strategies.outlook import Outlook, Stop, outlook
from strategies.plan import Plan
from strategies.preview import Preview
from strategies.sensitivity import Chance, one_in
from strategies.shares import BASIS_POINTS, Share
from strategies.stages import Stage
from strategies.states import Kind
from strategies.weights import EVEN

#: The fault that the preview asks about: one that hits 1 target in 20.
RARE = 20
#: Where the picture's axes lie in its 560 by 196; circles have at least the smallest
#: radius.
LEFT, RIGHT, TOP, BOTTOM = 48, 520, 24, 164
#: So near to the left axis a circle's words stand on its right.
ROOM = 56
SMALLEST, LARGEST = 3, 14
#: What lies between two times of the axis, at the most five times: round seconds.
BETWEEN = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    21_600,
    86_400,
)


def staged(plan: Plan, seen: Preview) -> dict[str, Any]:
    """Return {rows, rare} and the picture of a plan with several stages.

    A plan of one stage has no rows: its batches say it all.
    """
    if len(seen.stages) < 2:
        return {"rows": []}
    expected = outlook(plan, one_in(RARE)) if plan.course.work else None
    stops = {stop.stage: stop.chance for stop in _by_stage(expected)}
    rows = [
        {
            **_row(stage),
            "stops": stops[stage.number].written() if stage.number in stops else "",
        }
        for stage in seen.stages
        if stage.number
    ]
    weighs = plan.course.weighs
    return {"rows": rows, "rare": RARE, "weighs": weighs, **_picture(plan, expected)}


def _row(stage: Stage) -> dict[str, Any]:
    is_shift = stage.kind is Kind.SHIFT
    share = Share(basis_points=stage.share_bp).written() if stage.share_bp else ""
    words = {Kind.VERIFY: "look only", Kind.SHIFT: f"traffic to {stage.to_slot}"}
    missed = "" if is_shift or not stage.size else _missed(stage)
    return {
        "number": stage.number,
        "share": str(share).replace("%", " %") or words.get(stage.kind, "all of them"),
        "size": stage.size,
        "traffic": (stage.traffic or "").replace("%", " %").replace(EVEN, "as it was"),
        "is_passed_over": stage.is_passed_over,
        "tolerated": "any" if stage.tolerated is None else f"{stage.tolerated:,}",
        "tolerance": stage.tolerance,
        "missed": missed,
        "bake_seconds": stage.bake_seconds,
        "asks": bool(stage.gates),
    }


def _missed(stage: Stage) -> str:
    return stage.finding(Fraction(1, RARE)).otherwise().written()


def _by_stage(expected: Outlook | None) -> list[Stop]:
    """Return one stop a stage: one of many parts stops in any of them."""
    found: dict[int, Stop] = {}
    for stop in expected.stops if expected else ():
        before = found.get(stop.stage)
        if before is not None:
            both = before.chance.numerator + stop.chance.numerator
            chance = Chance(both, stop.chance.denominator)
            stop = replace(stop, start=before.start, chance=chance)
        found[stop.stage] = stop
    return list(found.values())


def _picture(plan: Plan, expected: Outlook | None) -> dict[str, Any]:
    """Return the planned curve as points, its axes, and a circle for each stage."""
    if expected is None or not expected.stops:
        return {"curve": "", "circles": [], "completes": ""}
    longest = max(stop.at_seconds for stop in expected.stops) or 1.0
    total = max(plan.course.work, 1)
    points = [(LEFT, BOTTOM)]
    for stop in expected.stops:
        x, y = _x(stop.at_seconds, longest), _y(min(stop.stop, total), total)
        points += [(x, points[-1][1]), (x, y)]
    circles = [_circle(stop, longest, total) for stop in _by_stage(expected)]
    counts = sorted({0, total // 4, total // 2, 3 * total // 4, total})
    told = "; ".join(circle["says"] for circle in circles)
    return {
        "curve": " ".join(f"{x},{y}" for x, y in points),
        "circles": circles,
        "across": [{"y": _y(n, total), "says": f"{n:,}"} for n in counts],
        "along": [
            {"x": _x(seconds, longest), "says": duration(seconds)}
            for seconds in _ticks(longest)
        ],
        "says": f"{counted(total)} in {duration(longest)} at the soonest. {told}.",
        "completes": expected.completes.written(),
    }


def _ticks(longest: float) -> list[int]:
    days = int(longest / BETWEEN[-1] / 5) + 1
    fitting = (step for step in BETWEEN if longest / step <= 5)
    step = next(fitting, BETWEEN[-1] * days)
    return [number * step for number in range(int(longest / step) + 1)]


def _circle(stop: Stop, longest: float, total: int) -> dict[str, Any]:
    part = (stop.chance.basis_points / BASIS_POINTS) ** 0.5
    x, y = _x(stop.at_seconds, longest), _y(min(stop.stop, total), total)
    return {
        "x": x,
        "y": y,
        "r": round(SMALLEST + (LARGEST - SMALLEST) * part, 1),
        "chance": stop.chance.written(),
        "is_left": x < LEFT + ROOM,
        "says": f"Stage {stop.stage}: stops {stop.chance.written()} of runs",
    }


def _x(seconds: float, longest: float) -> int:
    return round(LEFT + (RIGHT - LEFT) * seconds / longest)


def _y(count: int, total: int) -> int:
    return round(BOTTOM - (BOTTOM - TOP) * count / total)

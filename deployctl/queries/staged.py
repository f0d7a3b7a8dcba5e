"""The stages of a plan for its preview: what each tolerates, finds and lets through.

It words what the core has counted, and lays out one picture; it computes no chance.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from strategies.outlook import Outlook, outlook
from strategies.plan import Plan
from strategies.preview import Preview
from strategies.sensitivity import Chance, one_in
from strategies.shares import Share
from strategies.stages import Stage
from strategies.states import Kind

#: The fault that the preview asks about: one that hits 1 target in 20.
RARE = 20
#: The picture's size, in its own units; circles have at least the smallest radius.
WIDTH, HEIGHT, EDGE = 480, 160, 16
SMALLEST, LARGEST = 3, 14


def staged(plan: Plan, seen: Preview) -> dict[str, Any]:
    """Return {rows, rare, curve, circles, completes} of a plan with several stages.

    A plan of one stage has no rows: its batches say it all.
    """
    if len(seen.stages) < 2:
        return {"rows": []}
    expected = outlook(plan, one_in(RARE)) if plan.course.work else None
    # A long stage is told in parts: it stops in any of these.
    stops: dict[int, Chance] = {}
    for stop in expected.stops if expected else ():
        before = stops.get(stop.stage, Chance(0, stop.chance.denominator))
        both = before.numerator + stop.chance.numerator
        stops[stop.stage] = Chance(both, stop.chance.denominator)
    rows = [
        {
            **_row(stage),
            "stops": stops[stage.number].written() if stage.number in stops else "",
        }
        for stage in seen.stages
        if stage.number
    ]
    return {"rows": rows, "rare": RARE, **_picture(plan, expected)}


def _row(stage: Stage) -> dict[str, Any]:
    is_shift = stage.kind is Kind.SHIFT
    share = Share(basis_points=stage.share_bp).written() if stage.share_bp else ""
    words = {Kind.VERIFY: "look only", Kind.SHIFT: f"traffic to {stage.to_slot}"}
    missed = "" if is_shift or not stage.size else _missed(stage)
    return {
        "number": stage.number,
        "share": str(share).replace("%", " %") or words.get(stage.kind, "all of them"),
        "size": stage.size,
        "is_passed_over": stage.is_passed_over,
        "tolerated": "any" if stage.tolerated is None else f"{stage.tolerated:,}",
        "tolerance": stage.tolerance,
        "missed": missed,
        "bake_seconds": stage.bake_seconds,
        "asks": bool(stage.gates),
    }


def _missed(stage: Stage) -> str:
    return stage.finding(Fraction(1, RARE)).otherwise().written()


def _picture(plan: Plan, expected: Outlook | None) -> dict[str, Any]:
    """Return the planned curve as points, and each stop on it as a circle."""
    if expected is None or not expected.stops:
        return {"curve": "", "circles": [], "completes": ""}
    longest = max(stop.at_seconds for stop in expected.stops) or 1.0
    total = max(plan.course.work, 1)
    points, circles = [(EDGE, HEIGHT - EDGE)], []
    for stop in expected.stops:
        x = EDGE + (WIDTH - 2 * EDGE) * stop.at_seconds / longest
        y = HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * min(stop.stop, total) / total
        points += [(round(x), points[-1][1]), (round(x), round(y))]
        chance = stop.chance.basis_points / 10_000
        radius = SMALLEST + (LARGEST - SMALLEST) * chance**0.5
        circles.append(
            {
                "x": round(x),
                "y": round(y),
                "r": round(radius, 1),
                "says": f"Stage {stop.stage}: stops {stop.chance.written()} of runs",
            }
        )
    return {
        "curve": " ".join(f"{x},{y}" for x, y in points),
        "circles": circles,
        "completes": expected.completes.written(),
    }

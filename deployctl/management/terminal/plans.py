"""A plan, and a simulation of it, as lines and for programs; it plans nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from deployctl.models import Target
from deployctl.models.fleet import Health
from deployctl.queries.planned import planned
from deployctl.queries.sentences import counted, doing, halt_words
from deployctl.templatetags.deployctl import duration, percent
from strategies import Between, Fault, Plan, Simulated, World, simulate, wire
from strategies.preview import preview
from strategies.shares import BASIS_POINTS, Share


@dataclass(frozen=True)
class Made:
    """What a simulation makes up: the share of targets that the version breaks, how
    long each change takes, and the seed of the draw.
    """

    broken: Share
    takes_seconds: float
    seed: int


def plan_record(plan: Plan) -> dict[str, Any]:
    """Return a plan for programs: as it is stored, and what it means."""
    seen = preview(plan)
    return {
        **wire.dump_plan(plan),
        "work": plan.course.work,
        "selected": plan.course.selected,
        "batches": len(seen.batches),
        "minimum_seconds": seen.minimum_seconds,
        "blast_radius": seen.blast_radius,
        "notices": list(plan.notices),
        "warnings": list(seen.warnings),
        "tolerances": list(seen.tolerances),
    }


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield what a plan means: stages, batches, what stops it, warnings, its hash."""
    told = planned(plan)
    yield _changes(plan, told)
    for each in told["from_versions"]:
        yield f"  from {each['version']}: {counted(each['count'])}"
    for row in told["stages"]["rows"]:
        yield f"  {_stage(row)}"
    for row in told["rows"]:
        ends = row["first"] if row["count"] == 1 else f"{row['first']} .. {row['last']}"
        yield f"  batch {row['name']}: {counted(row['count'])}, {ends}; {row['rule']}"
    if told["rows_left"]:
        yield f"  and {told['rows_left']:,} more"
    if plan.targets:
        yield f"It waits {duration(told['min_seconds'])} at least."
        yield f"{told['blast']['first']} {told['blast']['failing']}"
    if told["floor"]:
        yield told["floor"]
    for warning in told["warnings"]:
        yield f"{warning['title']} {warning['text']}"
    yield f"Plan {plan.hash}"


def _changes(plan: Plan, told: dict[str, Any]) -> str:
    if told["nothing_to_do"]:
        return str(told["nothing_to_do"])
    return (
        f"{plan.strategy.replace('_', '-').capitalize()}: {told['work_count']:,} of"
        f" {counted(told['target_count'])} to {plan.version} in"
        f" {told['batch_count']:,} batches, at most {told['at_once']:,} at once."
    )


def _stage(row: dict[str, Any]) -> str:
    if row["is_passed_over"]:
        return f"stage {row['number']}: {row['share']}, adds no target"
    behind = []
    if row["bake_seconds"]:
        behind.append(f"bakes {duration(row['bake_seconds'])}")
    if row["asks"]:
        behind.append("asks a person")
    traffic = f", traffic {row['traffic']}" if row["traffic"] else ""
    then = f", then {' and '.join(behind)}" if behind else ""
    return (
        f"stage {row['number']}: {row['share']}, {counted(row['size'])}{traffic},"
        f" tolerates {row['tolerated']}{then}"
    )


def simulated(plan: Plan, made: Made) -> Simulated:
    """Run a plan in virtual time, on the machine that would run it for real."""
    ids = [int(target.id) for target in plan.targets]
    ill = Target.objects.filter(pk__in=ids, health=Health.UNHEALTHY)
    world = World(
        seed=made.seed,
        apply=Between(made.takes_seconds, made.takes_seconds),
        faults=tuple(_faults(plan, made.broken)),
        unavailable=frozenset(str(pk) for pk in ill.values_list("pk", flat=True)),
    )
    return simulate(plan, world)


def _faults(plan: Plan, broken: Share) -> Iterator[Fault]:
    if broken.count:
        # So many of them, the first in the plan: what is met at once.
        first = plan.targets[: broken.count]
        yield Fault(ids=frozenset(target.id for target in first))
    elif broken.basis_points:
        yield Fault(share=Fraction(broken.basis_points, BASIS_POINTS))


def simulation_record(plan: Plan, run: Simulated) -> dict[str, Any]:
    """Return how a simulated run went, for programs; durations in seconds."""
    return {
        "hash": plan.hash,
        "state": run.state.value,
        "reason": run.reason,
        "outcome": run.outcome,
        "halt": wire.dump(run.halt) if run.halt else None,
        "halted_at_seconds": run.halted_at_seconds,
        "duration_seconds": run.duration_seconds,
        "touched": run.touched,
        "left": run.left,
        "most_open": run.most_open,
        "work": plan.course.work,
        "selected": plan.course.selected,
    }


def simulation_lines(plan: Plan, run: Simulated, made: Made) -> Iterator[str]:
    """Yield how it would end, how long it would take, and how far it would reach."""
    share = percent(BASIS_POINTS * run.touched // max(1, plan.course.selected))
    state = run.state.value.replace("_", " ")
    yield (
        f"If it breaks {made.broken.written()} of the targets, and a change takes"
        f" {duration(made.takes_seconds)}: {state} after"
        f" {duration(run.duration_seconds)}."
    )
    if run.halt is not None and run.halted_at_seconds is not None:
        why = halt_words(run.halt, plan.course.steps)
        yield f"{why}, after {duration(run.halted_at_seconds)}."
    yield (
        f"It touches {counted(run.touched)}, {share} of those selected, at most"
        f" {run.most_open:,} at once; "
        f"{doing(run.left, 'stays', 'stay')} touched at its end."
    )
    yield f"Plan {plan.hash}"

"""Canary: a small part first, then larger ones, each judged before the next begins."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, ClassVar

from strategies import shares
from strategies.base import DeploymentStrategy
from strategies.errors import InvalidOptions
from strategies.options import Checker, optional, whole
from strategies.plan import Candidate, PlannedRouter, RouterSight
from strategies.selection import Selection
from strategies.shares import BASIS_POINTS, Share
from strategies.steps import Bake, Deploy, Gate, Step, Weigh, later
from strategies.weights import EVEN, EVENLY, Weights

Stages = list[int | str] | tuple[int | str, ...] | str
#: Argo's and the original's: a tenth, a quarter, a half, all.
USUAL_STAGES = (10, 25, 50, 100)


@dataclass(frozen=True, kw_only=True)
class CanaryDeployment(DeploymentStrategy):
    """Change a small part of a fleet first, and more only while enough succeeds.

    The first stages take healthy targets, spread over zones; unhealthy ones come last.
    The parts of the work set are rounded up, at least 1 target, and never all before
    the last stage: the others are what it is compared with. 100 is appended to `stages`
    if it is missing. A share of 0 keeps all traffic from the changed targets. Shares
    are set before a stage begins, so that the version never gets more; with the last
    stage all is as it was.

    Attributes:
        stages: which part of the targets has changed by the end of each stage, in
            percent, growing; left out, 10, 25, 50, 100.
        stage_duration_seconds: how long the changed targets are watched after each
            stage but the last; one that falls ill then counts as failed.
        health_check: the library's own check, called with a target after its deploy,
            and again while it is watched; false or raising means unhealthy. The
            dashboard has `health` instead.
        success_threshold: which part of the attempted targets must succeed, in each
            stage and so far, as 95% or 0.95; less stops it.
        batch_size: how many targets of a stage are changed at once, as a count or a
            percentage of the stage; left out, the whole stage.
        gates: whether a person must say go on after each stage but the last.
        gate_limit_seconds: how long a person may take to say so, then it halts; left
            out, there is no limit.
        max_failures: how many targets may fail in the whole fleet besides; left out,
            the threshold alone decides.
        traffic_shares: which part of the traffic the changed targets get together, as
            5, 15, 40: one percentage for each stage but the last, none below the one
            before. Left out, traffic is as the load balancer has it.
        traffic_fn: the library's own way to set it, called with a percentage and a list
            of targets, which together get that much; with 100 and no targets, it is to
            be as it was. False means that it was not set. The dashboard has routers.
    """

    name: ClassVar[str] = "canary"
    attended: ClassVar[Mapping[str, Any]] = {"on_failure": "rollback"}

    stages: Stages | None = field(default=None, kw_only=False)
    stage_duration_seconds: float | str = field(default=60.0, kw_only=False)
    health_check: Callable[..., Any] | None = field(default=None, kw_only=False)
    success_threshold: float | str = field(default=0.95, kw_only=False)
    batch_size: int | str | None = None
    gates: bool = False
    gate_limit_seconds: float | str | None = None
    max_failures: int | str | None = None
    traffic_shares: Stages | None = later(None)
    traffic_fn: Callable[..., Any] | None = later(None)

    def check(self, check: Checker) -> None:
        """Read the options of this strategy after the common ones."""
        super().check(check)
        check.read("stages", _stages)
        check.read("stage_duration_seconds", shares.seconds)
        check.read("success_threshold", shares.threshold)
        check.read("batch_size", optional, reader=shares.parse, least=1)
        check.read("gate_limit_seconds", optional, reader=shares.seconds)
        check.read("traffic_shares", _traffic)
        if not check.errors.keys() & {"stages", "traffic_shares"}:
            expected, given = len(_stages(self.stages)) - 1, len(self._traffic)
            if given not in (0, expected):
                check.errors["traffic_shares"] = (
                    f"must be {expected}, one for each stage but the last, not {given}"
                )

    @property
    def _traffic(self) -> list[int]:
        return _traffic(self.traffic_shares)

    @property
    def needs_router(self) -> bool:
        """Shares of traffic are set in a load balancer."""
        return bool(self._traffic)

    def sort_out(
        self, selected: Sequence[Candidate], version: str, router: RouterSight | None
    ) -> Selection:
        """Note what shares the traffic, if it is shared: it must be even before.

        Raises:
            InvalidOptions: if the router cannot do so, or is in the middle of it.
        """
        chosen = super().sort_out(selected, version, router)
        if not self._traffic or not chosen.work:
            return chosen
        if router is None:
            return replace(chosen, router=PlannedRouter("", serving=EVEN, idle=""))
        wrong = ""
        if router.slots:
            wrong = "the router leads traffic to slots; it cannot share it by weights"
        elif router.serving != EVEN:
            wrong = (
                "traffic is not shared as the load balancer's configuration has it;"
                " roll back the deployment that has left it so, or reset the weights"
            )
        if wrong:
            raise InvalidOptions({"traffic_shares": wrong})
        planned = PlannedRouter(
            router.id, serving=EVEN, idle="", driver_digest=router.driver_digest
        )
        return replace(chosen, router=planned)

    def order(self, work: list[Candidate]) -> list[Candidate]:
        """Return healthy targets first, spread over zones, unhealthy ones last."""
        healthy = [candidate for candidate in work if candidate.healthy]
        return _spread(healthy) + [c for c in work if not c.healthy]

    def steps(self, chosen: Selection) -> Iterator[Step]:
        """Write a range for each stage, and between these a bake and perhaps a gate."""
        total, start, weights = len(chosen.work), 0, EVENLY
        limit = optional(self.gate_limit_seconds, reader=shares.seconds)
        led, position = self._weights(chosen), total
        for number, share in enumerate(_stages(self.stages), 1):
            stop = reach(share, total)
            moves = bool(led) and led[number - 1] != weights
            if moves:
                yield Weigh.to(position, weights, led[number - 1])
                weights, position = led[number - 1], position + 1
            yield self._stage(share, start, stop)
            if stop < total and (start < stop or moves):
                seconds = shares.seconds(self.stage_duration_seconds)
                if seconds:
                    yield Bake(seconds)
                if self.gates:
                    yield Gate(f"after stage {number}", limit)
            start = stop

    def _weights(self, chosen: Selection) -> list[Weights]:
        """Return how traffic is shared during each stage; none, if it never is."""
        if not self._traffic or len(chosen.work) < 2:
            return []
        there, total = len(chosen.skipped), len(chosen.work)
        reached = [reach(share, total) for share in _stages(self.stages)]
        led = zip(reached, self._traffic, strict=False)
        return [*(Weights(there + stop, bp) for stop, bp in led), EVENLY]

    def _stage(self, share: Share, start: int, stop: int) -> Deploy:
        size = stop - start
        batch: Share | None = optional(self.batch_size, reader=shares.parse, least=1)
        batch_size = max(1, batch.floor(size)) if batch else max(1, size)
        at_once = optional(self.parallelism, reader=whole, least=1) or batch_size
        return Deploy(
            start=start,
            stop=stop,
            sizes=(batch_size,),
            parallelism=max(1, min(at_once, size)),
            min_success_bp=shares.threshold(self.success_threshold),
            share_bp=share.basis_points,
        )

    def notices(self, chosen: Selection, steps: Sequence[Step]) -> Iterator[str]:
        """Say which stage was added, and which add nothing."""
        yield from super().notices(chosen, steps)
        if self._traffic and len(chosen.work) == 1:
            yield "One target is all there is to change, so traffic is not shared."
        if len(_given(self.stages)) < len(_stages(self.stages)):
            yield "The last stage must be all targets, so 100% was appended."
        stages = [step for step in steps if isinstance(step, Deploy)]
        weighed = {n + 1 for n, step in enumerate(steps) if isinstance(step, Weigh)}
        led = [stage for n, stage in enumerate(steps) if n in weighed]
        for number, stage in enumerate(stages, 1):
            if stage.start == stage.stop and stage not in led:
                percent = Share(basis_points=stage.share_bp).written()
                yield f"Stage {number} ({percent}) adds no target and is passed over."

    def further_limits(self, chosen: Selection) -> Mapping[str, Any]:
        """Failures within the threshold are accepted, whatever no budget counts."""
        return {"accepts_failures": True}


def reach(share: Share, total: int) -> int:
    """Return how many targets are changed after a stage: 1 at least, and rounded up.

    Before the last stage one is always left, so that there is something to compare.
    """
    if share.basis_points == BASIS_POINTS or total < 2:
        return total
    return max(1, min(share.ceil(total), total - 1))


def _given(value: object) -> list[Share]:
    if value is None or value == "":
        value = USUAL_STAGES
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not items:
        raise ValueError("must be a list of percentages, as 10, 25, 50, 100")
    return [shares.percent(item) for item in items]


def _stages(value: Stages | None) -> list[Share]:
    """Read stages, and append the last if it is missing.

    Raises:
        ValueError: if one is no percentage, or they do not grow.
    """
    stages = _given(value)
    points = [share.basis_points or 0 for share in stages]
    if points[0] == 0 or any(b <= a for a, b in pairwise(points)):
        raise ValueError("must be more than 0% and grow from stage to stage")
    whole_fleet = Share(basis_points=BASIS_POINTS)
    return stages if stages[-1] == whole_fleet else [*stages, whole_fleet]


def _traffic(value: Stages | None) -> list[int]:
    """Read shares of traffic in basis points; none, if it is left out.

    Raises:
        ValueError: if one is no percentage, is all of it, or is less than the last.
    """
    if value is None or value == "":
        return []
    points = [share.basis_points or 0 for share in _given(value)]
    if max(points) == BASIS_POINTS or any(b < a for a, b in pairwise(points)):
        raise ValueError("must be less than 100% and not fall from stage to stage")
    return points


def _spread(candidates: list[Candidate]) -> list[Candidate]:
    """Return targets so that any number from the front has each zone's own share."""
    sizes = Counter(candidate.zone for candidate in candidates)
    seen: dict[str | None, int] = defaultdict(int)
    keyed = []
    for candidate in candidates:
        nth = seen[candidate.zone]
        seen[candidate.zone] += 1
        keyed.append((Fraction(2 * nth + 1, 2 * sizes[candidate.zone]), candidate))
    keyed.sort(key=lambda pair: pair[0])
    return [candidate for _, candidate in keyed]

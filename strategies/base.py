"""What every strategy has: its options, checked when it is made, and its plan.

It turns selected targets into a `Plan`; it knows no target's address, and nothing
here touches one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from strategies import options, shares
from strategies.errors import InvalidOptions
from strategies.health import Health
from strategies.options import Checker, optional, whole
from strategies.plan import (
    Candidate,
    OptionValue,
    Plan,
    RouterSight,
    SkippedTarget,
    is_written,
)
from strategies.runnable import Runnable
from strategies.selection import Selection, left_out, planned_as, unique, why_none
from strategies.shares import Share
from strategies.steps import Course, Limits, Range, Step

ON_FAILURE = ("halt", "rollback", "freeze")
#: Options that the library calls; the dashboard has health rules and routers instead.
CALLBACKS = ("health_check", "switch_fn", "traffic_fn")


@dataclass(frozen=True, kw_only=True)
class DeploymentStrategy(Runnable, ABC):
    """A way to move a fleet from one version to another.

    The options below are common to all strategies; each adds its own. All are checked
    when the strategy is made. With `max_failures=None` no count stops it, and then any
    failure fails the deployment at its end.

    Attributes:
        max_failures: how many targets may fail in the whole fleet; one more stops it.
        min_healthy: how many of the selected targets must stay available, as a count
            or a percentage, rounded up. Where no more can be spared, it waits.
        max_unavailable: how many of the selected targets may be unavailable at once,
            rounded down, at least 1; said instead of how many must stay available.
        parallelism: how many targets may be under way at once; left out, a whole batch.
        retries: how many further attempts a target gets before it counts as failed,
            10 at most.
        on_failure: what follows when a rule stops it: halt leaves all as it is,
            rollback takes back what was touched, freeze halts and refuses to roll back.
        require_all: whether tolerated failures fail the deployment at its end.
        force: whether targets that run the version already are changed too.
        health: what a target must show after its change.
        apply_seconds: how long one change may take.
        settle_seconds: how long an unknown outcome is looked into before a person is
            asked.
        progress_seconds: how long it may go on without a target becoming healthy; then
            it halts.

    Raises:
        InvalidOptions: with a sentence for each option that is wrong.
    """

    name: ClassVar[str] = ""
    #: What is different where people watch and decide, as on a dashboard.
    attended: ClassVar[Mapping[str, Any]] = {}
    max_failures: int | str | None = 0
    min_healthy: int | str = 0
    max_unavailable: int | str | None = None
    parallelism: int | str | None = None
    retries: int | str = 0
    on_failure: str = "halt"
    require_all: bool = False
    force: bool = False
    health: Health = field(default_factory=Health)
    apply_seconds: float | str = 300.0
    settle_seconds: float | str = 300.0
    progress_seconds: float | str = 600.0

    def __post_init__(self) -> None:
        check = Checker(self)
        self.check(check)
        check.finish()

    def check(self, check: Checker) -> None:
        """Read every option through `check`; strategies extend this with their own."""
        for name in self.truths():
            if not isinstance(getattr(self, name), bool):
                check.errors[name] = "must be true or false"
        check.read("max_failures", optional, reader=whole, least=0)
        check.read("min_healthy", shares.parse)
        check.read("max_unavailable", optional, reader=shares.parse, least=1)
        check.read("parallelism", optional, reader=whole, least=1)
        check.read("retries", whole, least=0, most=10)
        for name in ("apply_seconds", "settle_seconds", "progress_seconds"):
            check.read(name, shares.seconds)
        for name in CALLBACKS:
            if not _may_be_called(getattr(self, name, None)):
                check.errors[name] = "must be something to call, or left out"
        if self.on_failure not in ON_FAILURE:
            check.errors["on_failure"] = f"must be one of {', '.join(ON_FAILURE)}"
        given_both = self.max_unavailable not in (None, "") and str(
            self.min_healthy
        ) not in ("", "0", "0%")
        if given_both:
            check.errors["max_unavailable"] = (
                "say either how many must stay available or this: leave one of them out"
            )
        self._check_deadlines(check)

    def _check_deadlines(self, check: Checker) -> None:
        wrong = {f"health_{k}": text for k, text in self.health.problems().items()}
        check.errors.update(wrong)
        if wrong or check.errors.keys() & {"progress_seconds", "apply_seconds"}:
            return
        longest = self.health.deadline_seconds
        if shares.seconds(self.progress_seconds) <= longest:
            check.errors["progress_seconds"] = (
                f"must be more than the health deadline of {longest:g} seconds"
            )
        if shares.seconds(self.apply_seconds) <= 0:
            check.errors["apply_seconds"] = "must be more than 0 seconds"

    @classmethod
    def truths(cls) -> tuple[str, ...]:
        """Return the names of the options that are yes or no."""
        return tuple(f.name for f in fields(cls) if f.type in ("bool", bool))

    @property
    def needs_router(self) -> bool:
        """Whether it leads traffic, from slot to slot or by weights."""
        return False

    @abstractmethod
    def steps(self, chosen: Selection) -> Iterator[Step]:
        """Write the steps for a selection, in order. Called once for each plan."""

    def order(self, work: list[Candidate]) -> list[Candidate]:
        """Return the work set in the order in which it is changed.

        Unhealthy targets come first: they cost no room.
        """
        return sorted(work, key=lambda candidate: candidate.healthy)

    def notices(self, chosen: Selection, steps: Sequence[Step]) -> Iterator[str]:
        """Write what explains the plan to people."""
        yield from chosen.notices

    def plan(
        self,
        selected: Sequence[Candidate],
        version: str,
        digest: str = "",
        *,
        router: RouterSight | None = None,
    ) -> Plan:
        """Return what would be done; nothing is touched, and the same inputs give the
        same bytes.

        Args:
            selected: the targets, each with what it runs now.
            version: the version to reach.
            digest: what identifies the version's content.
            router: what leads traffic to the targets' slots, as it was read back.

        Raises:
            InvalidOptions: if nothing is selected, or all of it is left out, or the
                options cannot be kept for a fleet of this size.
        """
        if not selected:
            raise InvalidOptions({"targets": "no target is selected; choose some"})
        counted = [each for each in selected if each.left_out is None]
        if not counted:
            raise InvalidOptions({"targets": why_none(selected)})
        chosen = self.sort_out(counted, version, router)
        floor = self.floor(chosen)
        planned = (*chosen.work, *chosen.verified)
        steps = tuple(self.steps(chosen)) if planned or chosen.router else ()
        return Plan(
            strategy=self.name,
            options=self.written_options(),
            version=version,
            version_digest=digest,
            targets=tuple(planned_as(candidate, version) for candidate in planned),
            skipped=chosen.skipped,
            course=Course(
                steps=steps,
                limits=self._limits(floor, chosen, steps),
                selected=chosen.size,
                work=len(planned),
                standby=len(chosen.router.standby) if chosen.router else 0,
            ),
            notices=tuple(self.notices(chosen, steps)),
            router=chosen.router,
            left_out=left_out(selected),
        )

    def whole_plan(self, selected: Sequence[Candidate], version: str) -> Plan:
        """Return what would be done if every one of these had to be changed."""
        return replace(self, force=True).plan(selected, version)

    def sort_out(
        self, selected: Sequence[Candidate], version: str, router: RouterSight | None
    ) -> Selection:
        """Tell apart what needs the change and what does not.

        Strategies that ask a router extend this; to others it means nothing.
        """
        once, notices = unique(selected)
        done = [c for c in once if self.is_done(c, version)]
        ids = {c.id for c in done}
        return Selection(
            work=tuple(self.order([c for c in once if c.id not in ids])),
            skipped=tuple(SkippedTarget(c.id, "already_at_version") for c in done),
            notices=notices,
        )

    def is_done(self, candidate: Candidate, version: str) -> bool:
        """Whether a target needs nothing.

        An unhealthy one may not run what is recorded: it is looked at, and mended.
        """
        goal = version if candidate.goes_to is None else candidate.goes_to
        at_version = candidate.version == goal and candidate.healthy
        return at_version and not self.force

    def floor(self, chosen: Selection) -> int:
        """Return how many of the selected targets must stay available.

        Raises:
            InvalidOptions: if that leaves none to change.
        """
        size = chosen.size
        unavailable: Share | None = optional(
            self.max_unavailable, reader=shares.parse, least=1
        )
        if unavailable is not None:
            return size - max(1, unavailable.floor(size))
        least: Share = shares.parse(self.min_healthy or 0)
        if least.count is not None and least.count > size:
            sentence = (
                f"only {size} targets are selected, so {least.count} cannot stay"
                f" available; {size - 1} at most"
            )
            raise InvalidOptions({"min_healthy": sentence})
        floor = least.ceil(size)
        if floor >= size:
            raise InvalidOptions(
                {
                    "min_healthy": f"{least.written()} of {size} targets leaves none to"
                    f" change; {size - 1} at most, or say that 1 may be unavailable"
                }
            )
        return floor

    def _limits(self, floor: int, chosen: Selection, steps: tuple[Step, ...]) -> Limits:
        ranges = [step for step in steps if isinstance(step, Range)]
        widest = max((step.parallelism for step in ranges), default=1)
        # What carries no traffic is no part of what the floor counts.
        spare = chosen.size if chosen.carries_none else chosen.size - floor
        limits = Limits(
            floor=floor,
            parallelism=max(1, min(widest, spare)),
            max_failures=optional(self.max_failures, reader=whole, least=0),
            require_all=self.require_all,
            on_failure=self.on_failure,
            retries=whole(self.retries, least=0),
            apply_seconds=shares.seconds(self.apply_seconds),
            settle_seconds=shares.seconds(self.settle_seconds),
            progress_seconds=shares.seconds(self.progress_seconds),
            health=self.health,
        )
        return replace(limits, **self.further_limits(chosen))

    def further_limits(self, chosen: Selection) -> Mapping[str, Any]:
        """Return what this strategy limits differently, by the names of `Limits`."""
        return {}

    def written_options(self) -> dict[str, OptionValue]:
        """Return every option as it stands in the plan; callbacks are left out."""
        written: dict[str, OptionValue] = {}
        for f in fields(self):
            name, value = f.name, getattr(self, f.name)
            left_out = callable(value) or isinstance(value, Health)
            if not left_out and is_written(f, value):
                if name.endswith("_seconds") and value not in (None, ""):
                    value = shares.seconds(value)
                written[name] = options.written(value)
        return written


def _may_be_called(value: object) -> bool:
    return value is None or callable(value)

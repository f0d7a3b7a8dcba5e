"""Blue-green: change what carries no traffic, look at it, then lead traffic over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from strategies import shares
from strategies.base import DeploymentStrategy
from strategies.errors import InvalidOptions
from strategies.options import Checker, optional, whole
from strategies.plan import (
    SLOTS,
    Candidate,
    PlannedRouter,
    RouterSight,
    SkippedTarget,
)
from strategies.selection import Selection, unique
from strategies.shares import Share
from strategies.steps import Bake, Deploy, Gate, Shift, Step, Verify


@dataclass(frozen=True, kw_only=True)
class BlueGreenDeployment(DeploymentStrategy):
    """Change the idle slot, verify all of it, and switch traffic to it.

    Without a router there is one set of targets: all are changed, and then `switch_fn`
    is called. Floor and percentages count the slot that serves; nothing changes it.

    Attributes:
        switch_fn: the library's own switch, called with the slot to serve; false means
            that it did not switch. The dashboard has routers.
        health_check: the library's own check, called with a target after its deploy,
            and again while it is watched; false or raising means unhealthy. The
            dashboard has `health` instead.
        auto_promote: whether traffic is switched without asking a person, as soon as
            the idle slot is healthy as a whole.
        auto_promote_seconds: how long it waits for a person, and then switches by
            itself; left out, it waits for as long as it takes.
        bake_seconds: how long the new slot is watched after the switch.
        retain_seconds: how long the old slot is kept as it is, so that traffic can
            return to it; a plan that would change it is refused.
        restore_idle: whether rolling back also takes back the slot that was changed.
        end_retention: whether the idle slot is changed although an earlier deployment
            still keeps it to return to.
        batch_size: how many targets of the slot are changed at once; left out, the
            whole slot.
    """

    name: ClassVar[str] = "blue_green"
    attended: ClassVar[Mapping[str, Any]] = {"auto_promote": False}

    switch_fn: Callable[..., Any] | None = field(default=None, kw_only=False)
    health_check: Callable[..., Any] | None = field(default=None, kw_only=False)
    auto_promote: bool = True
    auto_promote_seconds: float | str | None = None
    bake_seconds: float | str = 0.0
    retain_seconds: float | str = 1800.0
    restore_idle: bool = False
    end_retention: bool = False
    batch_size: int | str | None = None

    def check(self, check: Checker) -> None:
        """Read the options of this strategy after the common ones."""
        super().check(check)
        check.read("auto_promote_seconds", optional, reader=shares.seconds)
        check.read("bake_seconds", shares.seconds)
        check.read("retain_seconds", shares.seconds)
        check.read("batch_size", optional, reader=shares.parse, least=1)

    @property
    def needs_router(self) -> bool:
        """It leads traffic from slot to slot."""
        return True

    def sort_out(
        self, selected: Sequence[Candidate], version: str, router: RouterSight | None
    ) -> Selection:
        """Choose the slot to change; the one that serves stands by.

        Nothing is left to do only if the slot that serves is at the version as a whole.
        """
        if router is None:
            chosen = super().sort_out(selected, version, None)
            whole_set = PlannedRouter(id="", serving=SLOTS[0], idle=SLOTS[1])
            return replace(chosen, router=whole_set if chosen.work else None)
        once, notices = unique(selected)
        idle = self._idle(router)
        standby = [c for c in once if c.slot == router.serving]
        others = [c for c in once if c.slot not in router.slots]
        left_out = tuple(SkippedTarget(c.id, "in_no_slot") for c in others)
        if standby and all(self.is_done(c, version) for c in standby):
            done = tuple(SkippedTarget(c.id, "already_at_version") for c in standby)
            return Selection((), (*done, *left_out), notices)
        changed = [c for c in once if c.slot == idle]
        work = [c for c in changed if not self.is_done(c, version)]
        if not changed:
            raise InvalidOptions({"targets": f"no target is selected in slot {idle}"})
        if work and router.retained == idle and not self.end_retention:
            sentence = (
                f"slot {idle} is kept as it is so that traffic can return to it;"
                " end its retention to change it now"
            )
            raise InvalidOptions({"end_retention": sentence})
        return Selection(
            work=tuple(self.order(work)),
            skipped=left_out,
            notices=notices,
            verified=tuple(c for c in changed if self.is_done(c, version)),
            router=PlannedRouter(
                id=router.id,
                serving=router.serving,
                idle=idle,
                standby=tuple(candidate.id for candidate in standby),
                driver_digest=router.driver_digest,
            ),
        )

    def _idle(self, router: RouterSight) -> str:
        rest = [slot for slot in router.slots if slot != router.serving]
        if len(rest) != 1 or router.serving not in router.slots:
            found = ", ".join(router.slots) or "none"
            sentence = f"must have two slots, one of which serves; it has {found}"
            raise InvalidOptions({"router": sentence})
        return rest[0]

    def steps(self, chosen: Selection) -> Iterator[Step]:
        """Write the changes, the look at the rest of the slot, and the switch."""
        work, total = len(chosen.work), len(chosen.work) + len(chosen.verified)
        if work:
            yield self._range(Deploy, 0, work)
        if total > work:
            yield self._range(Verify, work, total)
        if not self.auto_promote:
            limit = optional(self.auto_promote_seconds, reader=shares.seconds)
            yield Gate("promotion", limit, then="promote")
        if chosen.router is not None:
            yield Shift.at(
                total,
                chosen.router.serving,
                chosen.router.idle,
                shares.seconds(self.retain_seconds),
            )
            if seconds := shares.seconds(self.bake_seconds):
                yield Bake(seconds)

    def _range(
        self, kind: type[Deploy] | type[Verify], start: int, stop: int
    ) -> Deploy | Verify:
        size = stop - start
        batch: Share | None = optional(self.batch_size, reader=shares.parse, least=1)
        batch_size = max(1, batch.floor(size)) if batch else size
        at_once = optional(self.parallelism, reader=whole, least=1) or batch_size
        return kind(start, stop, (batch_size,), min(at_once, size))

    def floor(self, chosen: Selection) -> int:
        """Return how many of the serving slot must be healthy to get traffic back.

        Raises:
            InvalidOptions: if it has fewer than that.
        """
        if chosen.router is None or not chosen.router.id:
            return super().floor(chosen)
        size = len(chosen.router.standby)
        unavailable: Share | None = optional(
            self.max_unavailable, reader=shares.parse, least=1
        )
        if unavailable is not None:
            return max(0, size - max(1, unavailable.floor(size)))
        least: Share = shares.parse(self.min_healthy or 0)
        if least.count is not None and least.count > size:
            sentence = (
                f"only {size} targets of slot {chosen.router.serving} are selected,"
                f" so {least.count} cannot stay available; {size} at most"
            )
            raise InvalidOptions({"min_healthy": sentence})
        return least.ceil(size)

    def notices(self, chosen: Selection, steps: Sequence[Step]) -> Iterator[str]:
        """Say what is not known of the slot to which traffic would return."""
        yield from super().notices(chosen, steps)
        router = chosen.router
        if router is not None and router.id and not router.standby:
            yield (
                f"No target of slot {router.serving} is selected, so nobody can tell"
                " whether traffic could return to it."
            )

    def further_limits(self, chosen: Selection) -> Mapping[str, Any]:
        """A return leads traffic back; it changes targets where no slot stands by."""
        slots = chosen.router is not None and bool(chosen.router.id)
        return {"returns_targets": not slots or self.restore_idle}

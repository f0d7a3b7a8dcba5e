"""The original module's verbs, deploy and rollback, over a plan and its driver.

It turns a caller's targets into what plans are made of, and says what is refused; it
knows no strategy's options, and waits for nothing itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from strategies import drive, outcome
from strategies.errors import CommandRefused, InvalidOptions
from strategies.hands import Clock
from strategies.jobs import Callbacks, DeployFn, GateFn, Job
from strategies.memory import Memory
from strategies.plan import Candidate, Plan, PlannedTarget, SkippedTarget
from strategies.steps import Course, Deploy, Gate, Shift, Step, Weigh
from strategies.types import DeploymentResult, DeploymentState, DeploymentTarget
from strategies.weights import EVENLY, Weights


class Runnable(ABC):
    """What makes plans and can run them with callbacks.

    One object remembers what it touched, so that `rollback` touches only that. Use an
    object for one fleet, from one thread at a time.
    """

    @abstractmethod
    def plan(self, selected: Sequence[Candidate], version: str) -> Plan:
        """Return what would be done."""

    @abstractmethod
    def whole_plan(self, selected: Sequence[Candidate], version: str) -> Plan:
        """Return what would be done if every one of these had to be changed."""

    # -- the verbs --------------------------------------------------------------------

    def deploy(
        self,
        targets: Iterable[DeploymentTarget],
        version: str,
        deploy_fn: DeployFn,
        *,
        gate_fn: GateFn | None = None,
        clock: Clock | None = None,
    ) -> DeploymentResult:
        """Move targets to a version, and return what came of it.

        Plain callbacks are called in line, in the order of the plan. Those that give
        something to await run on a private loop, as many at once as the plan's
        parallelism. A batch is in flight as a whole: when one of it fails, its others
        are still called; with `parallelism=1` none is.

        Args:
            targets: what to move. Their `version` and `healthy` are written. An empty
                list is a no-op; a target that is named twice is changed once, and one
                that runs the version and is healthy is skipped.
            version: the version to reach.
            deploy_fn: called with a target and the version; false or raising is a
                failure.
            gate_fn: says go on at a gate, called with its name; false or raising stops
                for good.
            clock: where time comes from; left out, delays and bakes really wait.

        Raises:
            InvalidOptions: if the options cannot be kept for these targets, or a gate
                would wait for a person and there is no `gate_fn`. Nothing was touched.
            InsideLoop: if a loop runs in this thread; await `adeploy` instead.
        """
        drive.refuse_inside_loop("adeploy")
        job = self._forward(list(targets), version, deploy_fn, gate_fn)
        return (
            drive.run(job, clock)
            if job
            else self._nothing_done(DeploymentState.COMPLETED)
        )

    async def adeploy(
        self,
        targets: Iterable[DeploymentTarget],
        version: str,
        deploy_fn: DeployFn,
        *,
        gate_fn: GateFn | None = None,
        clock: Clock | None = None,
    ) -> DeploymentResult:
        """Do what `deploy` does, in the loop that runs.

        Cancelled, it cancels what is under way; what was touched is remembered.
        """
        job = self._forward(list(targets), version, deploy_fn, gate_fn)
        if job is None:
            return self._nothing_done(DeploymentState.COMPLETED)
        return await drive.arun(job, clock)

    def rollback(
        self,
        targets: Iterable[DeploymentTarget],
        previous_version: str,
        deploy_fn: DeployFn,
        *,
        clock: Clock | None = None,
    ) -> DeploymentResult:
        """Take back what this object touched, and return what came of it.

        Of the given targets those that it touched are taken back, the last one first,
        each to its own earlier version, or to `previous_version` where nobody knows
        that. When it has never seen any of them, all are taken to `previous_version`,
        in order. Blue-green leads traffic back first.

        There are no stages, delays, bakes or gates on the way back; parallelism and
        `min_healthy` hold as on the way there, so give the same list. What fails is
        tried once more at least. ROLLED_BACK means that every one was restored.

        Args:
            targets: what may be taken back.
            previous_version: where to, for those whose earlier version is not known.
            deploy_fn: called with a target and the version to restore.
            clock: as for `deploy`.

        Raises:
            CommandRefused: if the last deployment halted with `on_failure="freeze"`.
            InvalidOptions: if the options cannot be kept for these targets.
            InsideLoop: if a loop runs in this thread; await `arollback` instead.
        """
        drive.refuse_inside_loop("arollback")
        job = self._back(list(targets), previous_version, deploy_fn)
        return (
            drive.run(job, clock)
            if job
            else self._nothing_done(DeploymentState.ROLLED_BACK)
        )

    async def arollback(
        self,
        targets: Iterable[DeploymentTarget],
        previous_version: str,
        deploy_fn: DeployFn,
        *,
        clock: Clock | None = None,
    ) -> DeploymentResult:
        """Do what `rollback` does, in the loop that runs."""
        job = self._back(list(targets), previous_version, deploy_fn)
        if job is None:
            return self._nothing_done(DeploymentState.ROLLED_BACK)
        return await drive.arun(job, clock)

    # -- what they run ----------------------------------------------------------------

    @cached_property
    def _memory(self) -> Memory:
        # No field: options are compared, written into plans and shown, this is not.
        return Memory()

    @property
    def _switches(self) -> bool:
        return hasattr(self, "switch_fn")

    def _callbacks(self, deploy_fn: DeployFn, gate_fn: GateFn | None) -> Callbacks:
        if not callable(deploy_fn):
            raise InvalidOptions({"deploy_fn": "must be something to call"})
        return Callbacks(
            deploy_fn=deploy_fn,
            health_check=getattr(self, "health_check", None),
            switch_fn=getattr(self, "switch_fn", None),
            gate_fn=gate_fn,
            traffic_fn=getattr(self, "traffic_fn", None),
        )

    def _forward(
        self,
        targets: list[DeploymentTarget],
        version: str,
        deploy_fn: DeployFn,
        gate_fn: GateFn | None,
    ) -> Job | None:
        callbacks = self._callbacks(deploy_fn, gate_fn)
        if not targets:
            return None
        plan = self.plan([self._candidate(target) for target in targets], version)
        if gate_fn is None:
            _refuse_gates(plan)
        if plan.course.weighs and callbacks.traffic_fn is None:
            sentence = "the plan shares traffic: give what sets it, called with a"
            sentence += " percentage and the targets that get it"
            raise InvalidOptions({"traffic_fn": sentence})
        self._memory.begin((target.id for target in targets), version)
        return Job(plan, targets, callbacks, self._memory, switches=self._switches)

    def _back(
        self, targets: list[DeploymentTarget], previous: str, deploy_fn: DeployFn
    ) -> Job | None:
        callbacks, memory = self._callbacks(deploy_fn, None), self._memory
        if memory.is_frozen:
            raise CommandRefused(
                "frozen",
                "It halted, and freezes on failure: what it has changed may not be"
                " taken back. Deploy a version that mends it.",
            )
        once = {target.id: target for target in reversed(targets)}
        given = list(dict.fromkeys(target.id for target in targets))
        seen = not memory.known.isdisjoint(given)
        if seen:
            earlier = {
                each: touch.earlier or previous
                for each, touch in memory.touches.items()
                if each in once
            }
        else:
            # What comes last is taken back first: so these are taken in order.
            earlier = dict.fromkeys(reversed(given), previous)
        if not earlier:
            return None
        model = self.whole_plan([self._candidate(once[i]) for i in given], previous)
        switched = memory.switched_for is not None if seen else True
        plan = _taken_back(model, earlier, memory.weights, shifts=switched)
        return Job(plan, targets, callbacks, memory, True, self._switches)

    def _candidate(self, target: DeploymentTarget) -> Candidate:
        zone = target.metadata.get("zone")
        return Candidate(
            id=target.id,
            version=target.version,
            healthy=target.healthy,
            zone=zone if isinstance(zone, str) else None,
            came_from=self._memory.came_from(target.id),
        )

    def _nothing_done(self, state: DeploymentState) -> DeploymentResult:
        slot = self._memory.slot if self._switches else None
        return outcome.nothing_done(state, slot)


def _refuse_gates(plan: Plan) -> None:
    """Raise if a gate would wait for a person: nobody is there to answer it."""
    for step in plan.course.steps:
        passes = isinstance(step, Gate) and step.limit_seconds is not None
        if isinstance(step, Gate) and not (passes and step.then == "promote"):
            sentence = (
                f"the plan waits for a person at gate {step.name!r}, and nobody is"
                " here to answer: give a gate_fn, or plan without gates"
            )
            raise InvalidOptions({"gate_fn": sentence})


def _taken_back(
    model: Plan, earlier: dict[str, str], weights: Weights, *, shifts: bool
) -> Plan:
    """Return the plan whose return takes these back, the last one first.

    Args:
        model: the plan that would change all the given targets: its limits hold.
        earlier: the version of each touched target, in the order of their touch.
        weights: how traffic is shared now; at the end of the way back it is even.
        shifts: whether traffic is led back, where the model leads any.
    """
    count, limits = len(earlier), model.course.limits
    steps: tuple[Step, ...] = (Deploy(0, count, (count,), limits.parallelism),)
    router = model.router if shifts else None
    if weights.count:
        steps = (*steps, Weigh.to(count, EVENLY, weights))
    elif router is not None and router.idle:
        steps = (*steps, Shift.at(count, router.serving, router.idle))
    left_alone = (t.id for t in model.targets if t.id not in earlier)
    return replace(
        model,
        targets=tuple(PlannedTarget(i, version) for i, version in earlier.items()),
        skipped=tuple(SkippedTarget(each, "not_touched") for each in left_alone),
        course=Course(steps, limits, selected=model.course.selected, work=count),
        router=router,
    )

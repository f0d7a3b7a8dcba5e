"""Move a fleet from one version to another, safely: strategies, plans, one machine.

Standard library only. It decides and it waits; what is done to a target is done by the
functions that you give.

    >>> from strategies import DeploymentTarget, create_strategy
    >>> fleet = [
    ...     DeploymentTarget("web-1", "Web 1", "10.0.0.1", version="1.0"),
    ...     DeploymentTarget("web-2", "Web 2", "10.0.0.2", version="1.0"),
    ... ]
    >>> def install(target, version):
    ...     print("installing", version, "on", target.address)
    ...     return True
    >>> strategy = create_strategy("rolling", batch_size=1, delay_seconds=0)
    >>> result = strategy.deploy(fleet, "1.1", install)
    installing 1.1 on 10.0.0.1
    installing 1.1 on 10.0.0.2
    >>> result.state.value, result.targets_updated
    ('completed', 2)

Strategies
    `RollingDeployment`: batch after batch. `CanaryDeployment`: a small part first, then
    more while enough succeeds. `BlueGreenDeployment`: all, then traffic is switched.
    `create_strategy(name, **options)` makes them by name: "rolling", "canary",
    "blue_green", and whatever else was given to `register`. All options are checked
    there: `InvalidOptions` has a sentence for each that is wrong.

Verbs
    `deploy(targets, version, deploy_fn)` and `rollback(targets, previous_version,
    deploy_fn)` wait until it is over and return a `DeploymentResult`. In a running loop
    await `adeploy` and `arollback`. `plan(candidates, version)` touches nothing.

Beforehand
    `simulate(plan, world)` runs a plan in virtual time, on the machine that runs it for
    real, and returns a `Simulated`. A `World` says how long changes take (`Between`)
    and what goes wrong (`Fault`). `commands` are pairs: the seconds after the start,
    and a `Pause`, `Resume`, `Abort`, `RollBack`, `Promote` or `PromoteFully`.
    `outlook(plan, broken)` computes where a version that breaks a share of targets
    would stop: an `Outlook`, with a `Stop` for each place. `chance_of_finding(sample,
    tolerated, broken)` and `rarest_found(sample, tolerated)` say what a sample can
    tell. A `Chance` is exact; `basis_points` and `written()` round it.

Callbacks
    `deploy_fn(target, version)`, `health_check(target)`, `switch_fn(slot)`,
    `traffic_fn(percent, targets)` and `gate_fn(name)`; each may be plain or give
    something to await. An answer that is false, None included, is a failure, and so is
    what is raised: it becomes an entry of
    `result.errors` that starts with the target's id. Nothing raised escapes, but
    KeyboardInterrupt and the like. No callback has a deadline: it says itself when it
    is over.

Units
    Durations are seconds, as numbers or text ("2.5"), exact to the millisecond; only
    `duration_ms` is milliseconds. Counts are whole numbers, or shares of the targets as
    text ("30%"). Thresholds are parts (0.95) or text ("95%"). No float decides how many
    targets are touched. What is exact says so in its name: `_bp` and `basis_points` are
    parts of 10,000, shares in a simulation are `Fraction`s.

Errors
    `InvalidOptions` is a ValueError: nothing was touched. `InsideLoop` is a
    RuntimeError: a loop runs, so await. `CommandRefused`: the present state forbids it.
    All are `StrategyError`s. A share outside 0 to 1 and a duration below 0 in a
    simulation are plain ValueErrors. That targets failed is no exception but a result.

docs/strategies.md is the manual, with examples.
"""

from __future__ import annotations

from strategies.base import DeploymentStrategy
from strategies.blue_green import BlueGreenDeployment
from strategies.canary import CanaryDeployment
from strategies.errors import CommandRefused, InsideLoop, InvalidOptions, StrategyError
from strategies.faults import Between, Fault, World
from strategies.folds import replay
from strategies.hands import Clock
from strategies.health import Health
from strategies.messages import Abort, Pause, Promote, PromoteFully, Resume, RollBack
from strategies.outlook import Outlook, Stop, outlook
from strategies.plan import Candidate, Plan, RouterSight
from strategies.progress import Progress
from strategies.registry import create_strategy, names, register
from strategies.rolling import RollingDeployment
from strategies.sensitivity import (
    Chance,
    chance_of_finding,
    chance_of_missing,
    largest_strict_sample,
    one_in,
    rarest_found,
    tolerated_failures,
)
from strategies.simulate import simulate
from strategies.simulated import Sample, Simulated
from strategies.states import Direction, Intent, OperationState, State
from strategies.types import DeploymentResult, DeploymentState, DeploymentTarget

__all__ = [
    # what is deployed to, and what came of it
    "DeploymentTarget",
    "DeploymentResult",
    "DeploymentState",
    # the strategies, by class and by name
    "DeploymentStrategy",
    "RollingDeployment",
    "BlueGreenDeployment",
    "CanaryDeployment",
    "create_strategy",
    "register",
    "names",
    # their options and their surroundings
    "Health",
    "Clock",
    # what is refused
    "StrategyError",
    "InvalidOptions",
    "CommandRefused",
    "InsideLoop",
    # the plan and the machine beneath
    "Candidate",
    "RouterSight",
    "Plan",
    "Progress",
    "replay",
    "State",
    "Direction",
    "Intent",
    "OperationState",
    # a run in virtual time: what happens in it, what people ask, how it went
    "simulate",
    "World",
    "Fault",
    "Between",
    "Pause",
    "Resume",
    "Abort",
    "RollBack",
    "Promote",
    "PromoteFully",
    "Simulated",
    "Sample",
    # chances: where a faulty version would stop, what a sample can tell
    "outlook",
    "Outlook",
    "Stop",
    "Chance",
    "one_in",
    "chance_of_finding",
    "chance_of_missing",
    "rarest_found",
    "tolerated_failures",
    "largest_strict_sample",
]

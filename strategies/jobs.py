"""What is to be run: a plan, the caller's targets and callbacks; it runs nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from strategies.memory import Memory
from strategies.plan import Plan
from strategies.types import DeploymentTarget

DeployFn: TypeAlias = Callable[[DeploymentTarget, str], Any | Awaitable[Any]]
HealthCheck: TypeAlias = Callable[[DeploymentTarget], Any | Awaitable[Any]]
SwitchFn: TypeAlias = Callable[[str], Any | Awaitable[Any]]
TrafficFn: TypeAlias = Callable[
    [int | float, list[DeploymentTarget]], Any | Awaitable[Any]
]
GateFn: TypeAlias = Callable[[str], Any | Awaitable[Any]]


@dataclass(frozen=True)
class Callbacks:
    """What the caller does; each may be plain, or give something to await.

    An answer that is false, and anything raised, is a failure.
    """

    deploy_fn: DeployFn
    health_check: HealthCheck | None = None
    switch_fn: SwitchFn | None = None
    gate_fn: GateFn | None = None
    traffic_fn: TrafficFn | None = None


@dataclass(frozen=True)
class Job:
    """A plan and all that is needed to run it.

    With `is_return` its targets were touched before: it takes them back, each to its
    `from_version`, and leads traffic back first where it was led away. Whether it
    `switches` says whether a slot is part of its result.
    """

    plan: Plan
    targets: Sequence[DeploymentTarget]
    callbacks: Callbacks
    memory: Memory
    is_return: bool = False
    switches: bool = False

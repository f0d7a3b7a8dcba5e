"""Deployment strategies as a library: plans, the machine that runs them, rolling.

The public face: names handed on, nothing defined. Standard library only.
"""

from __future__ import annotations

from strategies.base import DeploymentStrategy
from strategies.errors import CommandRefused, InvalidOptions, StrategyError
from strategies.health import Health
from strategies.progress import Progress, replay
from strategies.registry import create_strategy, names, register
from strategies.rolling import RollingDeployment
from strategies.states import Direction, Intent, OperationState, State
from strategies.steps import Candidate, Plan

__all__ = [
    "Candidate",
    "CommandRefused",
    "DeploymentStrategy",
    "Direction",
    "Health",
    "Intent",
    "InvalidOptions",
    "OperationState",
    "Plan",
    "Progress",
    "RollingDeployment",
    "State",
    "StrategyError",
    "create_strategy",
    "names",
    "register",
    "replay",
]

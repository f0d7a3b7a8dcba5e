"""Deployment strategies as a library: plans, and the machine that runs them.

The public face: names handed on, nothing defined. Standard library only.
"""

from __future__ import annotations

from strategies.base import DeploymentStrategy
from strategies.blue_green import BlueGreenDeployment
from strategies.canary import CanaryDeployment
from strategies.errors import CommandRefused, InvalidOptions, StrategyError
from strategies.folds import replay
from strategies.health import Health
from strategies.plan import Candidate, Plan
from strategies.progress import Progress
from strategies.registry import create_strategy, names, register
from strategies.rolling import RollingDeployment
from strategies.states import Direction, Intent, OperationState, State

__all__ = [
    "BlueGreenDeployment",
    "CanaryDeployment",
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

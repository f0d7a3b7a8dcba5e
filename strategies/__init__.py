"""Deployment strategies as a library: plans, and the machine that runs them.

from strategies import DeploymentTarget, create_strategy

fleet = [DeploymentTarget("t1", "web 1", "10.0.0.1", version="1.0")]
strategy = create_strategy("rolling", batch_size=2)
result = strategy.deploy(fleet, "1.1", lambda target, version: True)

"""

from __future__ import annotations

from strategies.base import DeploymentStrategy
from strategies.blue_green import BlueGreenDeployment
from strategies.canary import CanaryDeployment
from strategies.errors import CommandRefused, InsideLoop, InvalidOptions, StrategyError
from strategies.folds import replay
from strategies.hands import Clock
from strategies.health import Health
from strategies.plan import Candidate, Plan
from strategies.progress import Progress
from strategies.registry import create_strategy, names, register
from strategies.rolling import RollingDeployment
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
    "Plan",
    "Progress",
    "replay",
    "State",
    "Direction",
    "Intent",
    "OperationState",
]

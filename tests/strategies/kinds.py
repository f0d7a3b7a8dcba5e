"""The small deployments that are let loose: options to draw from, by kind of plan."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from strategies.plan import Plan
from tests.strategies.plans import (
    canary_of,
    plain_switch_of,
    plan_of,
    switch_of,
    weighed_of,
)

COMMON: dict[str, list[Any]] = {
    "parallelism": [None, 1, 2],
    "retries": [0, 0, 1],
    "on_failure": ["halt", "halt", "rollback", "freeze"],
    "progress_seconds": [400],
}
ROLLING: dict[str, list[Any]] = {
    **COMMON,
    "batch_size": [1, 2, 3],
    "max_failures": [0, 1, None],
    "min_healthy": [0, 1, 2],
    "max_failure_percent": [None, None, 50],
    "window": [False, True],
    "delay_seconds": [0, 5],
}
CANARY: dict[str, list[Any]] = {
    **COMMON,
    "stages": [[10, 50], [10, 20, 100], [60, 100]],
    "stage_duration_seconds": [0, 60],
    "success_threshold": ["50%", 0.65, "95%"],
    "batch_size": [None, None, 1],
    "max_failures": [None, None, 1],
    "gates": [False, True],
    "gate_limit_seconds": [None, 100],
    "min_healthy": [0, 1, 2],
}
WEIGHED: dict[str, list[Any]] = {
    **{name: values for name, values in CANARY.items() if name != "stages"},
    "traffic_shares": ["0, 0", "5, 20", "0.5, 50"],
}
SWITCH: dict[str, list[Any]] = {
    **COMMON,
    "auto_promote": [True, False],
    "auto_promote_seconds": [None, 30],
    "bake_seconds": [0, 60],
    "restore_idle": [False, True],
    "batch_size": [None, 1],
    "max_failures": [0, 0, 1, None],
    "min_healthy": [0, 1, 2],
    "require_all": [False, True],
    "done": [0, 1, 2],
}
PLAIN: dict[str, list[Any]] = {
    name: values
    for name, values in SWITCH.items()
    if name not in ("done", "restore_idle", "min_healthy")
}
#: Options to draw from, and what makes a plan of them, by the name of its kind.
KINDS: dict[str, tuple[dict[str, list[Any]], Callable[..., Plan]]] = {
    "rolling": (ROLLING, partial(plan_of, 3)),
    "canary": (CANARY, partial(canary_of, 3)),
    "switch": (SWITCH, partial(switch_of, 2, 2)),
    "weighed": (WEIGHED, partial(weighed_of, 3)),
    "plain": (PLAIN, partial(plain_switch_of, 2)),
}

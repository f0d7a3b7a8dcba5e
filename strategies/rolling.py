"""Rolling: one range of targets, batch after batch, or as a sliding window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from strategies import shares
from strategies.base import DeploymentStrategy
from strategies.options import Checker, optional, whole
from strategies.selection import Selection
from strategies.shares import Share
from strategies.steps import Deploy, Step

BatchSize = int | str | list[int | str] | tuple[int | str, ...]


@dataclass(frozen=True, kw_only=True)
class RollingDeployment(DeploymentStrategy):
    """Change a fleet a batch at a time; each batch is healthy before the next begins.

    Percentages are of the work set, rounded down, at least 1. A list of sizes, as
    `[1, 5, "25%"]`, repeats its last one. With `window` it goes on as Nomad's
    max_parallel does.

    Attributes:
        batch_size: how many targets are changed before the next ones begin: a count,
            a percentage, or a list that grows, as 1, 5, 25%.
        delay_seconds: how long it waits between two batches; not after the last.
        health_check: the library's own check, called with a target after its deploy,
            and again while it is watched; false or raising means unhealthy. The
            dashboard has `health` instead.
        max_failure_percent: how many percent of one batch may fail; more stop it, and
            so does a batch that fails as a whole.
        window: whether as many targets as a batch has are always under way, instead of
            one whole batch after the other.
    """

    name: ClassVar[str] = "rolling"

    batch_size: BatchSize = field(default=1, kw_only=False)
    delay_seconds: float | str = field(default=5.0, kw_only=False)
    health_check: Callable[..., Any] | None = field(default=None, kw_only=False)
    max_failure_percent: int | str | None = None
    window: bool = False

    def check(self, check: Checker) -> None:
        """Read the options of this strategy after the common ones."""
        super().check(check)
        check.read("batch_size", _sizes)
        check.read("delay_seconds", shares.seconds)
        check.read("max_failure_percent", optional, reader=shares.percent)

    def steps(self, chosen: Selection) -> Iterator[Step]:
        """Write one range over the whole work set."""
        total = len(chosen.work)
        sizes = tuple(max(1, size.floor(total)) for size in _sizes(self.batch_size))
        parallelism = optional(self.parallelism, reader=whole, least=1) or max(sizes)
        percent = optional(self.max_failure_percent, reader=shares.percent)
        yield Deploy(
            start=0,
            stop=total,
            sizes=(total,) if self.window else sizes,
            parallelism=min(parallelism, total),
            delay_seconds=shares.seconds(self.delay_seconds),
            max_failure_bp=percent.basis_points if percent else None,
        )


def _sizes(value: object) -> list[Share]:
    """Read batch sizes: one, a list, or a text with commas.

    Raises:
        ValueError: if one is not a size, or the list shrinks.
    """
    if isinstance(value, str):
        value = value.split(",")
    items = list(value) if isinstance(value, list | tuple) else [value]
    if not items:
        raise ValueError("must name at least one batch size")
    sizes = [shares.parse(item, least=1) for item in items]
    for kind in ("count", "basis_points"):
        counts = [getattr(s, kind) for s in sizes if getattr(s, kind) is not None]
        if counts != sorted(counts):
            raise ValueError("must grow from batch to batch")
    return sizes

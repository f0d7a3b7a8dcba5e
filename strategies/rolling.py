"""Rolling: one range of targets, batch after batch, or as a sliding window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from strategies import shares
from strategies.base import DeploymentStrategy, Selection
from strategies.options import Checker, optional, whole
from strategies.shares import Share
from strategies.steps import Deploy, Step

BatchSize = int | str | list[int | str] | tuple[int | str, ...]


@dataclass(frozen=True, kw_only=True)
class RollingDeployment(DeploymentStrategy):
    """Change a fleet a batch at a time; each batch is healthy before the next begins.

    Attributes:
        batch_size: a count, a percentage of the work set rounded down (at least 1), or
            a growing list of these whose last one is repeated: `1`, `"30%"`,
            `[1, 5, "25%"]`.
        delay_seconds: the wait between batches; there is none after the last.
        health_check: the library's own check, called with a target after its deploy,
            and again while it is watched; false or raising means unhealthy. The
            dashboard has `health` instead.
        max_failure_percent: failed targets tolerated in one batch, in percent of it.
            More halt it, and so does a batch that fails as a whole.
        window: keep as many targets open as a batch has, instead of waiting for whole
            batches (after Nomad's max_parallel).
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

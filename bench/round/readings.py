"""What was read, by row; medians, the table and the file that keeps them."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.processes import Cost


@dataclass
class Row:
    """All readings of one work, and the goal that their median is held against."""

    unit: str
    goal: float | None = None
    more_is_better: bool = False
    values: list[float] = field(default_factory=list)
    costs: list[tuple[float, float, float]] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle reading."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the median keeps to the goal; None without one."""
        if self.goal is None:
            return None
        better = self.median >= self.goal
        return better if self.more_is_better else self.median <= self.goal


class Readings:
    """Collects readings by the name of the work."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = defaultdict(lambda: Row(""))

    def ratio(
        self, work: str, value: float, goal: float | None, cost: Cost, targets: int
    ) -> None:
        """Keep a wall time in units of its ideal."""
        self._keep(work, "x ideal", value, goal, cost=cost, targets=targets)

    def against(
        self, work: str, value: float, goal: float | None, cost: Cost, targets: int
    ) -> None:
        """Keep a wall time in units of a peer's, of the same moment."""
        self._keep(work, "x peer", value, goal, cost=cost, targets=targets)

    def times(self, work: str, value: float, goal: float) -> None:
        """Keep how many times better than a peer we are."""
        self._keep(work, "times", value, goal, True)

    def rate(
        self,
        work: str,
        value: float,
        goal: float | None,
        cost: Cost | None,
        targets: int,
    ) -> None:
        """Keep targets a second."""
        self._keep(work, "targets/s", value, goal, True, cost=cost, targets=targets)

    def time(self, work: str, seconds: float) -> None:
        """Keep a time."""
        self._keep(work, "ms", seconds * 1000, None)

    def worst(self, work: str, seconds: float, goal_seconds: float) -> None:
        """Keep a time that is the worst of many already."""
        self._keep(work, "ms", seconds * 1000, goal_seconds * 1000)

    def size(self, work: str, megabytes: float) -> None:
        """Keep an amount of memory."""
        self._keep(work, "MB", megabytes, None)

    def peer(self, work: str, ratio: float) -> None:
        """Keep what somebody else's wall time was."""
        self._keep(f"peer: {work}", "x ideal", ratio, None)

    def peer_rate(self, work: str, rate: float) -> None:
        """Keep somebody else's targets a second."""
        self._keep(f"peer: {work}", "targets/s", rate, None, True)

    def note(self, work: str, value: float) -> None:
        """Keep a count."""
        self._keep(work, "", value, None)

    def _keep(
        self,
        work: str,
        unit: str,
        value: float,
        goal: float | None,
        more_is_better: bool = False,
        *,
        cost: Cost | None = None,
        targets: int = 1,
    ) -> None:
        row = self.rows[work]
        row.unit, row.goal, row.more_is_better = unit, goal, more_is_better
        row.values.append(value)
        if cost is not None:
            other = cost.machine - cost.ours - cost.postgres
            per = 1000 / targets
            row.costs.append((cost.ours * per, cost.postgres * per, other))

    def as_json(self) -> list[dict[str, Any]]:
        """Return the rows as they are kept on file."""
        return [self._row(work, row) for work, row in self.rows.items()]

    def _row(self, work: str, row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {
            "work": work,
            "measured": _short(row.median),
            "unit": row.unit,
            "goal": row.goal,
            "met": row.met,
            "least": _short(min(row.values)),
            "most": _short(max(row.values)),
            "runs": len(row.values),
        }
        names = ("worker_cpu_ms", "postgres_cpu_ms", "other_cpu_seconds")
        for name, each in zip(names, zip(*row.costs, strict=True), strict=False):
            found[name] = _short(statistics.median(each))
        return found

    def table(self) -> str:
        """Return the rows for people to read."""
        lines = [_line("work", "measured", "unit", "least..most", "goal", "cpu ms", "")]
        for row in self.as_json():
            cpu = "".join(
                f"{row[name]}{sign}"
                for name, sign in (("worker_cpu_ms", "+"), ("postgres_cpu_ms", ""))
                if name in row
            )
            verdict = {None: "", True: "met", False: "MISSED"}[row["met"]]
            span = f"{row['least']}..{row['most']}"
            goal = "" if row["goal"] is None else f"{row['goal']:g}"
            cells = row["work"], str(row["measured"]), row["unit"], span, goal, cpu
            lines.append(_line(*cells, verdict))
        return "\n".join(lines)

    def write(self, path: Path, around: dict[str, Any]) -> None:
        """Write the file: what surrounds the rows, and the rows."""
        path.parent.mkdir(exist_ok=True)
        content = {**around, "rows": self.as_json()}
        path.write_text(json.dumps(content, indent=1) + "\n")


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _line(*cells: str) -> str:
    widths = (76, 9, 10, 16, 8, 14, 7)
    padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
    return " ".join(padded).rstrip()

"""Hunt the seeded faults: `python -m tests.mutants [area ..]`; all areas if none."""

from __future__ import annotations

import sys
import time

from tests.mutants import claims, stages, switches
from tests.mutants.record import Mutant

#: Every mutant there is. A new area adds its list here.
ALL: list[Mutant] = [*claims.MUTANTS, *stages.MUTANTS, *switches.MUTANTS]


def main(areas: list[str]) -> int:
    """Hunt, print a table, and return how many were not found."""
    chosen = [m for m in ALL if not areas or m.area in areas]
    missed = 0
    for mutant in chosen:
        began = time.perf_counter()
        found = mutant.found_by()
        missed += found is None
        seconds = time.perf_counter() - began
        print(f"{mutant.area:8} {mutant.name:36} {seconds:6.2f} s  {_short(found)}")
    print(f"{len(chosen) - missed} of {len(chosen)} found")
    return missed


def _short(found: str | None) -> str:
    return "NOT FOUND" if found is None else found[:100]


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)

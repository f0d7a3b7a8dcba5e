"""Hunts mutants and says which were found; it knows each area, and no fault."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from django.db import connections

from tests.mutants import (
    claims,
    doors,
    fences,
    looks,
    loops,
    presses,
    reaches,
    runners,
    stages,
    starts,
    switches,
)
from tests.mutants.record import Hunt, Mutant
from tests.support.servers import Server, empty_database, make_database, use_database

#: The area that needs no database.
CORE = "core"
#: Every mutant there is. A new module adds its list here.
ALL: list[Mutant] = [
    *claims.MUTANTS,
    *stages.MUTANTS,
    *switches.MUTANTS,
    *doors.MUTANTS,
    *fences.MUTANTS,
    *presses.MUTANTS,
    *starts.MUTANTS,
    *looks.MUTANTS,
    *runners.MUTANTS,
    *loops.MUTANTS,
    *reaches.MUTANTS,
]


def main(areas: Sequence[str]) -> int:
    """Hunt, print a table, and return how many were not found.

    A hunt that finds something in right code is no hunt: what it finds does not count.
    """
    chosen = [m for m in ALL if not areas or m.area in areas]
    missed = 0
    with _ground(chosen) as emptied:
        alarms = _false_alarms({m.hunt for m in chosen}, emptied)
        for mutant in chosen:
            began = time.perf_counter()
            found = None if alarms[mutant.hunt] else mutant.found_by()
            emptied()
            missed += found is None
            seconds = time.perf_counter() - began
            said = alarms[mutant.hunt] or _short(found)
            print(f"{mutant.area:8} {mutant.name:40} {seconds:6.2f} s  {said}")
    print(f"{len(chosen) - missed} of {len(chosen)} found")
    return missed


def _short(found: str | None) -> str:
    return "NOT FOUND" if found is None else found[:100]


def _false_alarms(
    hunts: set[Hunt], emptied: Callable[[], None]
) -> dict[Hunt, str | None]:
    """Return what each hunt finds in right code: nothing, if it is one."""
    alarms: dict[Hunt, str | None] = {}
    for hunt in hunts:
        said = hunt()
        alarms[hunt] = f"NO HUNT: right code too is found by {said}" if said else None
        emptied()
    return alarms


@contextmanager
def _ground(chosen: Sequence[Mutant]) -> Iterator[Callable[[], None]]:
    """Give what empties the database; there is a server if one of these needs it."""
    if all(mutant.area == CORE for mutant in chosen):
        yield lambda: None
        return
    server = Server()
    try:
        server.start()
        name = use_database(make_database(server.superuser_url))
        yield partial(empty_database, server.superuser_url, name)
    finally:
        connections.close_all()
        server.remove()

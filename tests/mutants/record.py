"""What a seeded fault is, and how one is hunted; it knows none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest

from tests.strategies.walks import SEEDS, walk

Hunt = Callable[[], str | None]


@dataclass(frozen=True)
class Mutant:
    """One fault, of one area: `core`, `services` or `engine`.

    `apply` puts it in, by the given patch, which is undone afterwards. `hunt` runs what
    should notice, and says what did; None means that nothing has, as in right code.
    """

    name: str
    area: str
    apply: Callable[[pytest.MonkeyPatch], None]
    hunt: Hunt

    @property
    def fault(self) -> str:
        """What is wrong, in a sentence."""
        return (self.apply.__doc__ or self.name).strip().splitlines()[0]

    def found_by(self) -> str | None:
        """Put the fault in, hunt it, and take it out again."""
        with pytest.MonkeyPatch.context() as patch:
            self.apply(patch)
            return self.hunt()


@cache
def walks_of(*kinds: str, seeds: int = SEEDS) -> Hunt:
    """Return a hunt by random walks of these kinds of plans, in turn."""

    def hunt() -> str | None:
        for seed in range(seeds):
            for kind in kinds:
                try:
                    walk(seed, kind=kind)
                except (AssertionError, RuntimeError) as broken:
                    said = str(broken).splitlines() or [type(broken).__name__]
                    return f"{kind} walk {seed}: {said[0]}"
        return None

    return hunt


@cache
def case(test: Callable[[], None]) -> Hunt:
    """Return a hunt by one case, which passes while the code is right."""

    def hunt() -> str | None:
        try:
            test()
        except (AssertionError, RuntimeError, pytest.fail.Exception) as broken:
            said = str(broken).splitlines() or [type(broken).__name__]
            return f"{test.__name__}: {said[0]}"
        return None

    return hunt

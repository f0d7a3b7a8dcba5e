"""How traffic is shared between the targets that are changed first and all others.

It knows numbers and one word for them; which targets are the first is a plan's order,
and how a load balancer is told is not its affair.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from strategies.shares import BASIS_POINTS, Share, parse

#: What is said of a load balancer that shares as its own configuration has it.
EVEN = "even"
_WRITTEN = re.compile(r"([0-9.]{1,6}%) to ([0-9]{1,9})")


@dataclass(frozen=True)
class Weights:
    """`basis_points` of the traffic for the first `count` targets, the rest for others.

    Those that ran the version already are the first of all; the plan's order follows.
    With `count` 0 it is even: each gets what the load balancer's configuration says.
    """

    count: int = 0
    basis_points: int = BASIS_POINTS

    def written(self) -> str:
        """Return it as it stands in a step, an operation and a reading: "5% to 3"."""
        if not self.count:
            return EVEN
        return f"{self.share} to {self.count}"

    @property
    def share(self) -> str:
        """The part of the traffic, as people write it: "5%"."""
        return str(Share(basis_points=self.basis_points).written())

    @classmethod
    def read(cls, text: str) -> Weights:
        """Return what `written` wrote.

        Raises:
            ValueError: it did not write that.
        """
        if text == EVEN:
            return cls()
        matched = _WRITTEN.fullmatch(text)
        if matched is None or not int(matched[2]):
            raise ValueError(f"these are no weights: {text!r}")
        return cls(int(matched[2]), parse(matched[1]).basis_points or 0)


#: As the load balancer's own configuration has it.
EVENLY = Weights()

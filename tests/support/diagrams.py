"""The diagrams of the documents, drawn from the tables in code.

`python -m tests.support.diagrams` writes them where the documents have them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from enum import StrEnum
from typing import TypeVar

from strategies.states import (
    AT_REST,
    LIVE,
    OPEN,
    OPERATION_TRANSITIONS,
    TRANSITIONS,
    WAITING,
    OperationState,
    State,
)
from tests.support import ROOT

DOCUMENT = ROOT / "docs" / "concepts.md"
#: Given back before anything was sent: stored as pending at once, so it is no state.
_PASSED = OperationState.RELEASED


S = TypeVar("S", bound=StrEnum)


def _arrows(table: Mapping[S, Set[S]]) -> list[str]:
    return [
        f"    {came.value} --> {to.value}"
        for came, following in table.items()
        for to in sorted(following)
        if _PASSED not in (came, to)
    ]


def _group(name: str, members: Set[StrEnum]) -> list[str]:
    inside = [f"        {member.value}" for member in sorted(members)]
    return [f'    state "{name}" as {name.replace(" ", "_")} {{', *inside, "    }"]


def deployments() -> str:
    """Return the states of a deployment, and which may follow which."""
    groups = [
        *_group("before the start", WAITING),
        *_group("live", LIVE),
        *_group("at rest", AT_REST),
    ]
    arrows = _arrows(TRANSITIONS)
    first = f"    [*] --> {State.DRAFT}"
    return "\n".join(["stateDiagram-v2", *groups, first, *arrows])


def operations() -> str:
    """Return the states of one operation, and which may follow which."""
    first = f"    [*] --> {OperationState.PENDING}"
    arrows = _arrows(OPERATION_TRANSITIONS)
    return "\n".join(["stateDiagram-v2", *_group("open", OPEN), first, *arrows])


DIAGRAMS = {"deployments": deployments, "operations": operations}


def drawn(text: str) -> str:
    """Return a document with each of its diagrams as the code has it now."""
    for name, draw in DIAGRAMS.items():
        block = f"<!-- {name} -->\n```mermaid\n{draw()}\n```\n<!-- end -->"
        before = re.findall(rf"<!-- {name} -->.*?<!-- end -->", text, re.DOTALL)
        assert len(before) == 1, f"the document has {len(before)} places for {name}"
        text = text.replace(before[0], block)
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(drawn(DOCUMENT.read_text()))

"""Which deployment another one comes from, and what came of it: retries, ways back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployctl.models import Deployment
from deployctl.queries import looks


def kin(row: Deployment) -> dict[str, Any]:
    """Return {parent, children}: {id, says} or None; a list of those, with a state."""
    parent = {"id": row.parent_id, "says": how(row)} if row.parent_id else None
    return {"parent": parent, "children": children([row.pk]).get(row.pk, [])}


def children(ids: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """Return what came of some deployments, by the parent's id, the oldest first."""
    found: dict[int, list[dict[str, Any]]] = {}
    rows = Deployment.objects.filter(parent__in=list(ids)).select_related("parent")
    for row in rows.order_by("pk"):
        state, label = looks.shown(row)
        told = {"id": row.pk, "says": how(row), "state": state, "label": label}
        found.setdefault(int(row.parent_id or 0), []).append(told)
    return found


def how(row: Deployment) -> str:
    """Return what a deployment is to the one that it comes from.

    A retry goes to its parent's version again; a way back leads away from it.
    """
    same = row.parent is not None and row.version_id == row.parent.version_id
    return "retry" if same else "way back"

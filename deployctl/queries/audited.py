"""Who did what, read from the audit and told; nothing is entered here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployctl.models import Audit


def newest(limit: int, *, deployment_id: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield entries, the newest first, as values: all, or those of one deployment."""
    rows = Audit.objects.order_by("-pk")
    if deployment_id is not None:
        rows = rows.filter(object_type="deployment", object_id=deployment_id)
    yield from map(entry, rows[:limit])


def entry(row: Audit) -> dict[str, Any]:
    """Return an entry as one value that JSON can say."""
    return {
        "id": row.pk,
        "at": row.at,
        "actor": row.actor,
        "action": row.action,
        "object": {
            "type": row.object_type,
            "id": row.object_id,
            "label": row.object_label,
        },
        "before": row.before,
        "after": row.after,
        "reason": row.reason,
        "result": row.result,
        "source": row.source,
    }

"""Targets as rows of a file: all that an import could set, and nothing else.

A secret is named in the settings and never stands there, so no file has one.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet

from deployctl.inventories.rows import Row
from deployctl.models import Target


def rows(found: QuerySet[Target]) -> Iterator[Row]:
    """Yield a row for each target, by name; its line is as under a header."""
    values = found.order_by("name", "pk").values_list(
        *("name", "address", "driver", "slot", "recorded_version"),
        *("labels", "settings"),
    )
    for line, (name, address, kind, slot, version, labels, settings) in enumerate(
        values.iterator(2000), 2
    ):
        texts = {
            "address": address,
            "kind": kind,
            "slot": slot or "",
            "version": version or "",
        }
        yield Row(line, name, texts, labels, settings)

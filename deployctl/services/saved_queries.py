"""Queries under names: saved and removed here, with an audit entry."""

from __future__ import annotations

from django.db import transaction

from deployctl.models import Application, SavedForm, SavedQuery
from deployctl.models.fleet import QUERY_NAME
from deployctl.queries.expression import parse
from deployctl.services import audit
from deployctl.services.people import Actor, require


def save_query(
    application: Application, name: str, text: str, *, by: Actor
) -> SavedQuery:
    """Save a query under a name, instead of what that name meant before.

    Raises:
        NotAllowed: if this person may not.
        ValueError: the name or the query is none; nothing was changed.
    """
    require(by, "save queries", "every environment")
    if not QUERY_NAME.fullmatch(name):
        raise ValueError(
            "A query's name has letters, digits, spaces and ._- and at most 64 of them."
        )
    parse(text)
    with transaction.atomic():
        row, made = SavedQuery.objects.select_for_update().get_or_create(
            application=application, name=name, defaults={"text": text}
        )
        before = None if made else {"text": row.text}
        if made or row.text != text:
            row.text = text
            row.save(update_fields=["text"])
            audit.record(by, "query.saved", row, before=before, after={"text": text})
    return row


def remove_query(query_id: int, *, by: Actor) -> None:
    """Remove a query; one that is gone already is no error.

    Raises:
        NotAllowed: if this person may not.
        ValueError: a template has it; nothing was changed.
    """
    require(by, "remove queries", "every environment")
    with transaction.atomic():
        row = SavedQuery.objects.select_for_update().filter(pk=query_id).first()
        if row is not None:
            _refuse_used(row)
            audit.record(by, "query.removed", row, before={"text": row.text})
            row.delete()


def _refuse_used(row: SavedQuery) -> None:
    # A template whose query is gone would choose the whole fleet. A new one cannot come
    # in between: it would have to lock the query, which is locked here.
    first = SavedForm.objects.filter(query=row).order_by("name").first()
    if first is not None:
        raise ValueError(
            f"The template {first} for {first.environment} chooses its targets by"
            f" {row}. Delete the template first, or give it another query."
        )

"""Drafts and templates, as lists and as what is typed; it saves and plans nothing."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from deployctl.models import Application, Environment, SavedForm

Kind = SavedForm.Kind


def drafts(user_id: int) -> QuerySet[SavedForm]:
    """Return a person's drafts, the newest first; nobody sees those of others."""
    return _rows(Kind.DRAFT).filter(owner_id=user_id).order_by("-saved_at", "-pk")


def templates() -> QuerySet[SavedForm]:
    """Return all templates, by place and name."""
    return _rows(Kind.TEMPLATE).order_by(
        "application__name", "environment__name", "name"
    )


def templates_of(
    application_id: int | None, environment_id: int | None
) -> QuerySet[SavedForm]:
    """Return the templates of one place, by name; none until it is chosen."""
    if application_id is None or environment_id is None:
        return templates().none()
    return templates().filter(
        application_id=application_id, environment_id=environment_id
    )


def template_named(
    application: Application, environment: Environment, name: str
) -> SavedForm | None:
    """Return the template of a place by its name."""
    return templates_of(application.pk, environment.pk).filter(name=name).first()


def _rows(kind: str) -> QuerySet[SavedForm]:
    return SavedForm.objects.filter(kind=kind).select_related(
        "application", "environment", "query", "last_deployment__created_by"
    )


def as_typed(row: SavedForm) -> dict[str, Any]:
    """Return the builder's fields as they were saved.

    A template's targets are those of its query as that is now.
    """
    place = {"application": row.application_id, "environment": row.environment_id}
    where = {"where": row.query.text} if row.query else {}
    return {**row.fields, **place, **where}

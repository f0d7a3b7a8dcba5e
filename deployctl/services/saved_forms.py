"""Drafts and templates: kept, renamed and removed here; nothing is planned or started.

Nobody overwrites what they have not seen: who saves under a name that is taken says
which revision they mean, and is asked if it is another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from deployctl.models import (
    Application,
    Deployment,
    Environment,
    SavedForm,
    SavedQuery,
)
from deployctl.models.fleet import QUERY_NAME
from deployctl.queries.saved_forms import templates_of
from deployctl.services import audit
from deployctl.services.people import Actor, require
from strategies import create_strategy
from strategies.registry import attended_options, with_health

#: No form has more fields, and no field of one takes more characters.
_MOST_FIELDS, _MOST_CHARS = 100, 1000
#: What a person may keep; more is no help in finding one's own.
MOST_DRAFTS = 100
Kind = SavedForm.Kind


class Taken(Exception):
    """The name is taken by something that the person has not seen; nothing was saved.

    Attributes:
        row: what is there.
    """

    def __init__(self, row: SavedForm) -> None:
        self.row = row
        super().__init__(
            f"There is a {row.kind} “{row.name}” already, saved by {row.saved_by} on"
            f" {row.saved_at:%d %b %Y at %H:%M} UTC. Nothing was saved."
        )


def keep_draft(
    application: Application,
    environment: Environment,
    name: str,
    fields: Mapping[str, str],
    *,
    by: Actor,
    seen: str = "",
) -> SavedForm:
    """Keep what a person typed, be it right or wrong, for themselves.

    Args:
        application: of what it is a draft.
        environment: for where.
        name: by which its owner finds it.
        fields: texts by the builder's names of fields.
        by: its owner.
        seen: the stamp of the draft that may be overwritten.

    Raises:
        NotAllowed: if this person may not.
        Taken: another draft of theirs has that name.
        ValueError: the name is none, or there is too much.
    """
    require(by, "keep drafts", environment.name)
    _check(name, fields)
    theirs = SavedForm.objects.filter(kind=Kind.DRAFT, owner_id=by.user_id)
    if theirs.exclude(name=name).count() >= MOST_DRAFTS:
        raise ValueError(
            f"You have {MOST_DRAFTS} drafts, which is the most. Nothing was kept:"
            " delete one first."
        )
    return _saved(
        {"kind": Kind.DRAFT, "owner_id": by.user_id, "name": name},
        {
            "application_id": application.pk,
            "environment_id": environment.pk,
            "fields": dict(fields),
        },
        by,
        seen,
    )


def save_template(
    application: Application,
    environment: Environment,
    name: str,
    fields: Mapping[str, str],
    *,
    by: Actor,
    query: SavedQuery | None = None,
    seen: str = "",
) -> SavedForm:
    """Save a strategy and its options for everybody who deploys there.

    Args:
        application: what it deploys.
        environment: where.
        name: by which it is chosen, also at a terminal.
        fields: `strategy`, and what its options are, as typed.
        by: who saves it.
        query: which targets; None leaves that to whoever uses it.
        seen: the stamp of the template that may be overwritten.

    Raises:
        InvalidOptions: what is no option, by its name.
        NotAllowed: if this person may not.
        Taken: there is another template of that name.
        ValueError: the name is none.
    """
    require(by, "save templates", environment.name)
    _check(name, fields)
    strategy, options = as_options(fields)
    create_strategy(strategy, **{**attended_options(strategy), **options})
    place = {"application_id": application.pk, "environment_id": environment.pk}
    return _saved(
        {"kind": Kind.TEMPLATE, "name": name, **place},
        {"fields": dict(fields), "query_id": query.pk if query else None},
        by,
        seen,
    )


def as_options(fields: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return a template's strategy, and its options as a strategy takes them."""
    options = {name: value for name, value in fields.items() if name != "strategy"}
    return fields.get("strategy", ""), with_health(options)


def rename_template(template_id: int, name: str, *, by: Actor) -> SavedForm | None:
    """Give a template another name; None if it is gone.

    Raises:
        NotAllowed: if this person may not.
        Taken: another template has that name; a new name never replaces one.
        ValueError: the name is none.
    """
    _check(name, {})
    row = None
    try:
        with transaction.atomic():
            row = _locked(template_id, Kind.TEMPLATE)
            if row is None or row.name == name:
                return row
            require(by, "rename templates", row.environment.name)
            before, row.name = row.name, name
            row.revision += 1
            row.save(update_fields=["name", "revision"])
            audit.record(
                *(by, "template.renamed", row),
                before={"name": before},
                after={"name": name},
            )
            return row
    except IntegrityError as error:
        if "template_once" not in str(error) or row is None:
            raise
        of = (row.application_id, row.environment_id)
        other = templates_of(*of).filter(name=name).first()
        raise Taken(other or row) from None


def remove_saved(saved_id: int, *, by: Actor) -> SavedForm | None:
    """Remove a template, or a draft of one's own; None if there is none any more.

    Raises:
        NotAllowed: if this person may not.
    """
    with transaction.atomic():
        row = _locked(saved_id)
        if row is None or row.owner_id not in (None, by.user_id):
            return None
        require(by, f"remove {row.kind}s", row.environment.name)
        audit.record(by, f"{row.kind}.removed", row, before=_told(row))
        row.delete()
        return row


def note_use(template_id: int | None, deployment: Deployment) -> None:
    """Keep on a template which deployment has begun with it last."""
    if template_id is not None:
        SavedForm.objects.filter(
            pk=template_id,
            kind=Kind.TEMPLATE,
            application_id=deployment.application_id,
            environment_id=deployment.environment_id,
        ).update(last_deployment=deployment)


def _check(name: str, fields: Mapping[str, str]) -> None:
    if not QUERY_NAME.fullmatch(name):
        raise ValueError(
            "A name has letters, digits, spaces and ._- and at most 64 of them, and"
            " begins with a letter or digit. Nothing was saved."
        )
    long = [key for key, value in fields.items() if len(value) > _MOST_CHARS]
    if long or len(fields) > _MOST_FIELDS:
        raise ValueError(
            f"There is too much in {long[0] if long else 'it'}:"
            f" {_MOST_CHARS:,} characters are the most. Nothing was saved."
        )


def _saved(
    key: dict[str, Any], values: dict[str, Any], by: Actor, seen: str
) -> SavedForm:
    """Write the row of this key, unless it is one that was not seen."""
    with transaction.atomic():
        row, is_new = SavedForm.objects.select_for_update().get_or_create(
            **key, defaults={**values, "saved_by": by.label}
        )
        before = None if is_new else _told(row)
        if not is_new:
            if all(getattr(row, name) == value for name, value in values.items()):
                return row
            if row.stamp != seen:
                raise Taken(row)
            for name, value in values.items():
                setattr(row, name, value)
            row.revision, row.saved_by, row.saved_at = row.revision + 1, by.label, Now()
            row.save()
        row = SavedForm.objects.get(pk=row.pk)
        word = "kept" if row.kind == Kind.DRAFT else "saved"
        audit.record(by, f"{row.kind}.{word}", row, before=before, after=_told(row))
        return row


def _locked(saved_id: int, *kinds: str) -> SavedForm | None:
    rows = SavedForm.objects.select_for_update().filter(pk=saved_id)
    return rows.filter(kind__in=kinds or Kind.values).first()


def _told(row: SavedForm) -> dict[str, Any]:
    """Return what the audit keeps: of a draft its place alone, since it is private."""
    place = {
        "application": row.application.name,
        "environment": row.environment.name,
    }
    if row.kind == Kind.DRAFT:
        return place
    return {**place, "fields": row.fields, "query": row.query and row.query.name}

"""With what the builder begins: a draft, a template, a deployment; it saves nothing."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from deployctl.models import SavedForm
from deployctl.queries import cloning, fleet, saved_forms
from deployctl.web.forms import DeploymentForm
from deployctl.web.options import as_fields, fields_of
from deployctl.web.shell import number


def begun_with(request: HttpRequest) -> SavedForm | None:
    """Return the draft or the template that the address names; 404 if it is gone."""
    draft, template = number(request, "draft"), number(request, "template")
    if draft is not None:
        return get_object_or_404(saved_forms.drafts(by_id(request)), pk=draft)
    if template is not None:
        return get_object_or_404(saved_forms.templates(), pk=template)
    return None


def by_id(request: HttpRequest) -> int:
    """Return who looks, by number."""
    return int(request.user.pk or 0)


def first_form(request: HttpRequest, row: SavedForm | None) -> DeploymentForm:
    """Return the form as the address asks for it: what it says itself goes last."""
    like = as_fields(cloning.like(number(request, "like")))
    begun = {"application": fleet.only_application(), **like, **_saved_in(row)}
    said = request.GET.dict()
    said["strategy"] = said.get("strategy") or begun.get("strategy", "")
    return DeploymentForm(initial={**begun, **as_fields(said)})


def _saved_in(row: SavedForm | None) -> dict[str, Any]:
    """Return what a draft or a template says, by the names of fields."""
    typed = saved_forms.as_typed(row) if row else {}
    if row is None or row.kind == SavedForm.Kind.DRAFT:
        return typed
    # What a template leaves out is left out, and not what the builder proposes.
    blank = dict.fromkeys(fields_of(typed["strategy"]).values(), "")
    return {**blank, **as_fields(typed)}


def saved(
    request: HttpRequest, form: DeploymentForm, row: SavedForm | None = None
) -> dict[str, Any]:
    """Return what the builder shows of drafts and templates, as new.html asks for it.

    Args:
        request: what was sent.
        form: whose place the templates are of.
        row: what the form was opened from.
    """
    sent = request.POST
    templates = list(saved_forms.templates_of(*form.place))
    used = str(row.pk) if row else sent.get("template", "")
    return {
        "templates": templates,
        "template": next((each for each in templates if str(each.pk) == used), None),
        "name": sent.get("saved_as", row.name if row else ""),
        "seen": row.stamp if row else sent.get("seen", ""),
        "draft": row if row and row.kind == SavedForm.Kind.DRAFT else None,
    }

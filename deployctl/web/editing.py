"""Edits of many targets in the browser: by query, looked at first, then applied."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from deployctl.services import editing
from deployctl.services.changing import Moved
from deployctl.services.fleet import InUse
from deployctl.web.denied import says_denied
from deployctl.web.fleet_forms import EditForm
from deployctl.web.shell import by, to_fleet


@require_http_methods(["GET", "POST"])
@says_denied
def target_edit(request: HttpRequest) -> HttpResponse:
    """Show the form; do what was seen, if it is still the same."""
    if request.method == "GET":
        return shown(request, EditForm(initial=request.GET.dict()), {})
    form = EditForm(request.POST)
    found = outcome(form, request if "apply" in request.POST else None)
    if not found.get("done"):
        return shown(request, form, found, 200 if found.get("edits") else 422)
    messages.success(request, said(len(found["edits"].changes)))
    names = ("application", "environment", "where")
    place = {name: str(form.cleaned_data[name]) for name in names}
    return to_fleet(place)


@require_POST
def target_edit_preview(request: HttpRequest) -> HttpResponse:
    """Show what the edit would do; nothing is kept."""
    form = EditForm(request.POST)
    context = {**outcome(form, None), "form": form}
    return render(request, "targets/_edit_preview.html", context)


def outcome(form: EditForm, request: HttpRequest | None) -> dict[str, Any]:
    """Look, or edit in a request; return {edits, done} or what is wrong."""
    if not form.is_valid():
        return {"errors": [text for texts in form.errors.values() for text in texts]}
    data = form.cleaned_data
    where = data["application"], data["environment"], data["where"]
    try:
        if request is None:
            return {"edits": editing.preview(*where, form.edit())}
        seen = request.POST.get("seen", "")
        found = editing.edit_targets(*where, form.edit(), by=by(request), seen=seen)
    except Moved as moved:
        return {**outcome(form, None), "moved": str(moved)}
    except (ValueError, InUse) as error:
        return {"errors": [str(error)]}
    return {"edits": found, "done": True}


def said(count: int) -> str:
    """Say what was done."""
    return "1 target is changed." if count == 1 else f"{count:,} targets are changed."


def shown(
    request: HttpRequest, form: EditForm, found: dict[str, Any], status: int = 200
) -> HttpResponse:
    """Show the form with what was found."""
    context = {**found, "form": form, "may_act": by(request).may_act}
    return render(request, "targets/edit.html", context, status=status)

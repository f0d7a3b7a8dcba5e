"""Fleets from files and into them, in the browser: looked at first, then applied."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from deployctl.inventories import formats
from deployctl.queries import exported, fleet, places
from deployctl.services import importing
from deployctl.services.changing import Moved
from deployctl.services.fleet import InUse
from deployctl.services.importing import Import, Judge, Wrong
from deployctl.web.denied import says_denied
from deployctl.web.fleet_forms import ImportForm
from deployctl.web.shell import by, to_fleet
from deployctl.web.targets import asked, looked_up

_NOTHING = "Choose a file, or paste its text."
_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@require_http_methods(["GET", "POST"])
@says_denied
def target_import(request: HttpRequest, judge: Judge) -> HttpResponse:
    """Show the form; import what was seen, if it is still the same."""
    if request.method == "GET":
        return shown(request, ImportForm(initial=request.GET.dict()), {})
    form = ImportForm(request.POST, request.FILES)
    found = outcome(form, judge, request if "apply" in request.POST else None)
    if not found.get("done"):
        return shown(request, form, found, 200 if found.get("found") else 422)
    messages.success(request, said(found["found"]))
    place = {
        name: str(form.cleaned_data[name]) for name in ("application", "environment")
    }
    return to_fleet(place)


@require_POST
def target_import_preview(request: HttpRequest, judge: Judge) -> HttpResponse:
    """Show what importing the file would do; nothing is kept."""
    found = outcome(ImportForm(request.POST, request.FILES), judge, None)
    return render(request, "targets/_import.html", found)


def outcome(
    form: ImportForm, judge: Judge, request: HttpRequest | None
) -> dict[str, Any]:
    """Look, or import in a request; return {found, done} or what is wrong."""
    if not form.is_valid():
        return {"errors": errors(form)}
    data = form.cleaned_data
    missing = data["disable_missing"] == "yes"
    try:
        inventory = form.inventory()
        if inventory is None:
            return {} if request is None else {"errors": [_NOTHING]}
        where = data["application"], data["environment"], inventory, judge
        if request is None:
            return {"found": importing.preview(*where, disable_missing=missing)}
        seen = request.POST.get("seen", "")
        found = importing.import_targets(
            *where, by=by(request), seen=seen, disable_missing=missing
        )
    except Wrong as wrong:
        return {"problems": wrong.problems}
    except Moved as moved:
        return {**outcome(form_again(form), judge, None), "moved": str(moved)}
    except (ValueError, InUse) as error:
        return {"errors": [str(error)]}
    return {"found": found, "done": True}


def form_again(form: ImportForm) -> ImportForm:
    """Return a form whose file is read from its beginning again."""
    if form.cleaned_data["file"]:
        form.cleaned_data["file"].seek(0)
    return form


def errors(form: ImportForm) -> list[str]:
    """Return what is wrong with what was typed, besides the file."""
    return [
        f"{form.fields[name].label or name.capitalize()}: {text}"
        for name, texts in form.errors.items()
        for text in texts
    ]


def said(found: Import) -> str:
    """Say what was done."""
    added, changed = len(found.added), len(found.changed)
    disabled = f" {len(found.disabled):,} are disabled." if found.disabled else ""
    return (
        f"Imported: {added:,} added, {changed:,} changed, {found.same:,} as they were."
        f"{disabled}"
    )


def shown(
    request: HttpRequest, form: ImportForm, found: dict[str, Any], status: int = 200
) -> HttpResponse:
    """Show the form with what was found."""
    context = {
        **found,
        "form": form,
        "may_act": by(request).may_act,
        "nowhere": places.is_empty(),
    }
    return render(request, "targets/import.html", context, status=status)


@require_safe
def target_export(request: HttpRequest, format: str) -> HttpResponse:
    """Give a file of what the filter selects of one fleet."""
    filters = asked(request)
    found, wrong = looked_up(filters)
    if wrong or not (filters.application and filters.environment):
        sentence = "Choose one application and one environment, then export them."
        messages.error(request, f"{wrong or sentence} Nothing was exported.")
        return to_fleet(request.GET.dict())
    parts = formats.written(exported.rows(found), format)
    answer = HttpResponse("".join(parts), content_type=_TYPES[format])
    answer["Content-Disposition"] = f'attachment; filename="{named(filters)}.{format}"'
    return answer


def named(filters: fleet.Filters) -> str:
    """Return the name of a fleet as a file may have it."""
    name = f"{filters.application}-{filters.environment}"
    return "".join(
        c if (c.isascii() and c.isalnum()) or c in "-._" else "_" for c in name
    )

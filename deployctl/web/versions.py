"""Versions: the list, and registering and withdrawing one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from deployctl.models import Version
from deployctl.queries import fleet, versions
from deployctl.services.versions import (
    InvalidVersion,
    register_version,
    withdraw_version,
)
from deployctl.web.denied import says_denied
from deployctl.web.forms import VersionForm
from deployctl.web.shell import by, paged, text


@require_safe
def version_list(request: HttpRequest) -> HttpResponse:
    """Show versions, and the form to register one to whoever may."""
    initial = {"application": fleet.only_application()}
    form = VersionForm(initial=initial) if by(request).may_act else None
    return render(request, "versions/list.html", listed(request, form))


def listed(request: HttpRequest, form: VersionForm | None) -> dict[str, Any]:
    """Return the context of the list."""
    filters = {"q": text(request, "q"), "application": text(request, "application")}
    rows, page = paged(request, versions.listed(**filters), versions.PAGE)
    where = versions.where(rows)
    return {
        "versions": [versions.line(row, where[row.pk]) for row in rows],
        "total": page["total"],
        "filters": filters,
        "choices": {"applications": fleet.applications()},
        "form": form,
        "page": page,
    }


@require_POST
@says_denied
def version_register(request: HttpRequest) -> HttpResponse:
    """Register a version, or show the form with what is wrong."""
    form = VersionForm(request.POST)
    if form.is_valid():
        try:
            row = register_version(by=by(request), **form.cleaned_data)
        except InvalidVersion as error:
            form.add_error("version", str(error))
        else:
            messages.success(request, f"{row.application} {row} is registered.")
            return redirect("version-list")
    return render(request, "versions/list.html", listed(request, form), status=422)


@require_POST
@says_denied
def version_withdraw(request: HttpRequest, version_id: int) -> HttpResponse:
    """Withdraw a version, so that no deployment of it starts."""
    get_object_or_404(Version, pk=version_id)
    reason = request.POST.get("reason", "").replace("\0", "").strip()[:1000]
    if not reason:
        messages.error(request, "Say why: a reason is needed. Nothing was changed.")
        return redirect("version-list")
    row = withdraw_version(version_id, by=by(request), reason=reason)
    messages.success(request, f"{row.application} {row} is withdrawn.")
    return redirect("version-list")

"""Queries under names: saved and removed from the page of the fleet."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from deployctl.models import Application
from deployctl.services.saved_queries import remove_query, save_query
from deployctl.web.denied import says_denied
from deployctl.web.shell import by, to_fleet


@require_POST
@says_denied
def query_save(request: HttpRequest) -> HttpResponse:
    """Save the query of the filter, or say why not."""
    application = get_object_or_404(Application, name=typed(request, "application"))
    name, text = typed(request, "name"), typed(request, "text")
    try:
        save_query(application, name, text, by=by(request))
        messages.success(request, f"{name} is saved for {application}.")
    except ValueError as error:
        messages.error(request, f"{error} Nothing was saved.")
    return to_fleet({"application": application.name, "where": text})


@require_POST
@says_denied
def query_remove(request: HttpRequest, query_id: int) -> HttpResponse:
    """Remove a saved query, or say why not."""
    try:
        remove_query(query_id, by=by(request))
    except ValueError as error:
        messages.error(request, f"{error} Nothing was removed.")
    return to_fleet({"application": typed(request, "application")})


def typed(request: HttpRequest, name: str) -> str:
    """Return what was typed, as a database can keep it."""
    return request.POST.get(name, "").replace("\0", "").strip()

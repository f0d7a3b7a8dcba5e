"""The first page: what needs somebody, what runs, what went wrong."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from deployctl.queries import filtering, fleet, history, slots, versions, workers


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show the whole page, or the table of running deployments alone."""
    if request.GET.get("part") == "running":
        running = {"running": history.running()}
        return render(request, "overview/_running.html", running)
    wrong, wrong_of = history.went_wrong()
    context = {
        "needs": history.waiting_for_people(),
        "running": history.running(),
        "wrong": wrong,
        "wrong_of": wrong_of,
        "fleet": fleet.summary(fleet.listed(fleet.Filters())),
        "kept": slots.kept(),
        "workers": workers.workers(),
        "checklist": checklist(),
    }
    return render(request, "overview/detail.html", context)


def checklist() -> list[dict[str, Any]]:
    """Return the first steps of a new house, until the first deployment."""
    if filtering.listed(filtering.Filters()).exists():
        return []
    has_targets = fleet.listed(fleet.Filters()).exists()
    has_versions = versions.listed().exists()
    new = reverse("deployment-new")
    return [
        _step(has_targets, "Have targets: instances of an application", "", ""),
        _step(
            has_versions,
            "Register a version of it",
            reverse("version-list"),
            "Register",
        ),
        _step(False, "Plan the first deployment and look at it", new, "Plan it"),
    ]


def _step(done: bool, text: str, url: str, action: str) -> dict[str, Any]:
    return {"done": done, "text": text, "url": url, "action": action}

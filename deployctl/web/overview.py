"""The first page: what needs somebody, what runs, what went wrong."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from deployctl.queries import (
    filtering,
    fleet,
    history,
    places,
    saved_forms,
    slots,
    versions,
    workers,
)
from deployctl.web.beginnings import by_id

#: So many drafts are shown beside what runs; the others stand on their own page.
_MOST_DRAFTS = 5


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Show the whole page, or the table of running deployments alone."""
    if request.GET.get("part") == "running":
        running = {"running": history.running()}
        return render(request, "overview/_running.html", running)
    wrong, wrong_of = history.went_wrong()
    context = {
        "running": history.running(),
        "wrong": wrong,
        "wrong_of": wrong_of,
        "fleet": fleet.summary(fleet.listed(fleet.Filters())),
        "kept": slots.kept(),
        "drafts": saved_forms.drafts(by_id(request))[:_MOST_DRAFTS],
        "workers": workers.workers(),
        "checklist": checklist(),
    }
    return render(request, "overview/detail.html", context)


def checklist() -> list[dict[str, Any]]:
    """Return the first steps of a new house, until the first deployment."""
    if filtering.listed(filtering.Filters()).exists():
        return []
    has_place = not places.is_empty()
    steps = [
        _step(
            has_place,
            "Add an application and an environment",
            reverse("place-list"),
            "Add them",
        ),
        _step(
            fleet.listed(fleet.Filters()).exists(),
            "Have targets: instances of an application",
            reverse("target-import") if has_place else "",
            "Import them",
        ),
        _step(
            versions.listed().exists(),
            "Register a version of it",
            reverse("version-list") if has_place else "",
            "Register",
        ),
    ]
    ready = all(step["done"] for step in steps)
    plan = reverse("deployment-new") if ready else ""
    return [
        *steps,
        _step(False, "Plan the first deployment and look at it", plan, "Plan it"),
    ]


def _step(done: bool, text: str, url: str, action: str) -> dict[str, Any]:
    return {"done": done, "text": text, "url": url, "action": action}

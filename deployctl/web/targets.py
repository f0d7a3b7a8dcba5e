"""Targets: the fleet as a list, one target with what was done there."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from deployctl.models import Target
from deployctl.queries import fleet, room
from deployctl.web.shell import number, paged, text


def target_list(request: HttpRequest) -> HttpResponse:
    """Show the targets of the fleet, or those of one deployment."""
    filters = asked(request)
    found = fleet.listed(filters)
    rows, page = paged(request, found, fleet.PAGE)
    operations = (
        fleet.operations_in(filters.deployment, [row.pk for row in rows])
        if filters.deployment
        else {}
    )
    context = {
        "targets": [fleet.line(row, operations.get(row.pk)) for row in rows],
        "total": page["total"],
        "filters": filters,
        "choices": choices(filters),
        "summary": fleet.summary(found),
        "deployment": room.named(filters.deployment) if filters.deployment else None,
        "page": page,
    }
    return render(request, "targets/list.html", context)


def asked(request: HttpRequest) -> fleet.Filters:
    """Return what the address asks for."""
    return fleet.Filters(
        q=text(request, "q"),
        application=text(request, "application"),
        environment=text(request, "environment"),
        version=text(request, "version"),
        state=text(request, "state"),
        deployment=number(request, "deployment"),
        batch=number(request, "batch"),
        position=number(request, "position"),
    )


def choices(filters: fleet.Filters) -> dict[str, list[tuple[str, str]]]:
    """Return what can be chosen in the filters."""
    of_one = filters.deployment is not None
    return {
        "applications": fleet.applications(),
        "environments": fleet.environments(),
        "states": fleet.OPERATION_STATES if of_one else fleet.STATES,
        "versions": fleet.running_versions(filters.application),
    }


def target_detail(request: HttpRequest, target_id: int) -> HttpResponse:
    """Show one target: its version, its health, its history."""
    rows = Target.objects.select_related("application", "environment")
    context = {
        "target": fleet.line(get_object_or_404(rows, pk=target_id)),
        "open": fleet.open_operation(target_id),
        "history": fleet.history(target_id),
    }
    return render(request, "targets/detail.html", context)

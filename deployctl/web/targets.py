"""Targets: the fleet as a list, one target with what was done there."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from deployctl.models import Application, Target
from deployctl.queries import fleet, operating, room, sheets
from deployctl.queries.expression import MOST_CHARS
from deployctl.queries.selecting import offered, saved
from deployctl.web.files import sent
from deployctl.web.shell import by, number, older_and_newer, paged, text


@require_safe
def target_list(request: HttpRequest) -> HttpResponse:
    """Show the targets of the fleet, or those of one deployment."""
    filters = asked(request)
    found, wrong = looked_up(filters)
    application = Application.objects.filter(name=filters.application).first()
    rows, page = paged(request, found, fleet.PAGE)
    queries = saved(application.pk) if application else []
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
        "wrong": wrong,
        "queries": queries,
        "offered": offered(queries, filters.where, "Saved queries"),
        "may_act": by(request).may_act,
        "address": request.GET.urlencode(),
        "deployment": room.named(filters.deployment) if filters.deployment else None,
        "page": page,
    }
    return render(request, "targets/list.html", context, status=422 if wrong else 200)


def looked_up(filters: fleet.Filters) -> tuple[QuerySet[Target], str]:
    """Return the targets that are like that, and what is wrong with the query."""
    try:
        return fleet.listed(filters), ""
    except ValueError as error:
        return Target.objects.none(), str(error)


def asked(request: HttpRequest) -> fleet.Filters:
    """Return what the address asks for."""
    return fleet.Filters(
        q=text(request, "q"),
        application=text(request, "application"),
        environment=text(request, "environment"),
        version=text(request, "version"),
        state=text(request, "state"),
        where=text(request, "where", MOST_CHARS),
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


@require_safe
def target_detail(request: HttpRequest, target_id: int) -> HttpResponse:
    """Show one target: its version, its health, its history."""
    targets = Target.objects.select_related("application", "environment")
    target = get_object_or_404(targets, pk=target_id)
    done = operating.of_target(target_id)
    rows, page = older_and_newer(request, done, operating.PAGE)
    context = {
        "target": fleet.line(target),
        "open": fleet.open_operation(target_id),
        "history": [operating.told(row) for row in rows],
        "page": page,
    }
    return render(request, "targets/detail.html", context)


@require_safe
def target_csv(request: HttpRequest, target_id: int) -> StreamingHttpResponse:
    """Send all that was done to a target as a file for a spreadsheet."""
    target = get_object_or_404(Target, pk=target_id)
    rows = sheets.of_target(operating.of_target(target.pk))
    return sent(rows, f"target-{target.pk}.csv")

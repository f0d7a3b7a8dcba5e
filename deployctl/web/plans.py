"""Plans that were frozen: one by its hash, as a page and as a file, beside another."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from deployctl.models import Plan
from deployctl.queries import differences, plans
from deployctl.queries.planned import planned
from deployctl.web.shell import text


@require_safe
def plan_detail(request: HttpRequest, plan_hash: str) -> HttpResponse:
    """Show a plan as it was before anything moved; with `against`, what differs."""
    row = get_object_or_404(Plan.objects.select_related("created_by"), pk=plan_hash)
    plan = plans.read(row)
    other = text(request, "against")
    context = {
        "frozen": plans.frozen(row, plan),
        "plan": planned(plan),
        "against": other,
        "beside": differences.beside(plan, other) if other else None,
    }
    return render(request, "plans/detail.html", context)


@require_safe
def plan_json(request: HttpRequest, plan_hash: str) -> JsonResponse:
    """Send a plan as it is stored: its content, its format and its hash."""
    row = get_object_or_404(Plan, pk=plan_hash)
    answer = JsonResponse(row.content, json_dumps_params={"indent": 1})
    name = f"plan-{plan_hash[:12]}.json"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer

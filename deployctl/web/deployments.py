"""The history of deployments, and the builder: preview a plan, then start it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from deployctl.models import SavedForm
from deployctl.queries import filtering, fleet, history, sheets
from deployctl.queries.differences import differences
from deployctl.queries.planned import planned
from deployctl.queries.selecting import chosen
from deployctl.queries.selecting import fleet as fleet_of
from deployctl.services.deployments import deploy
from deployctl.services.people import NotAllowed
from deployctl.services.planning import Refused, plan_deployment
from deployctl.services.replies import KeyReused
from deployctl.web.beginnings import begun_with, first_form, saved
from deployctl.web.files import sent
from deployctl.web.forms import DeploymentForm
from deployctl.web.options import STRATEGIES
from deployctl.web.shell import by, older_and_newer, text
from strategies import InvalidOptions, Plan


@require_safe
def deployment_list(request: HttpRequest) -> HttpResponse:
    """Show the history, newest first, by the filters of the address."""
    filters = asked(request)
    found = filtering.Found(filters)
    rows, page = older_and_newer(request, found, history.PAGE)
    context = {
        "deployments": history.lines(rows),
        "total": found.total,
        "is_more": found.is_more,
        "filters": filters,
        "choices": {
            "applications": fleet.applications(),
            "environments": fleet.environments(),
            "states": history.STATES,
            "strategies": STRATEGIES,
        },
        "page": page,
        "query": urlencode(vars(filters)) if filters.is_any else "",
    }
    return render(request, "deployments/list.html", context)


def asked(request: HttpRequest) -> filtering.Filters:
    """Return what the address asks for."""
    names = [each.name for each in fields(filtering.Filters)]
    return filtering.Filters(**{name: text(request, name) for name in names})


@require_safe
def deployment_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Send all that the filters find, newest first, as a file for a spreadsheet."""
    rows = sheets.deployments(filtering.Found(asked(request)))
    return sent(rows, "deployments.csv")


@require_http_methods(["GET", "POST"])
def deployment_new(request: HttpRequest) -> HttpResponse:
    """Show the builder; start the plan that was seen, if it is still the same."""
    if request.method == "GET":
        row = begun_with(request)
        return shown(request, first_form(request, row), None, row=row)
    form = DeploymentForm(request.POST)
    plan = made(form)
    if plan is None or "start" not in request.POST:
        return shown(request, form, plan, 200 if plan else 422)
    if plan.hash != request.POST.get("plan_hash"):
        form.add_error(None, _CHANGED)
        changes = differences(request.POST.get("plan_sketch", ""), plan)
        return shown(request, form, plan, 409, changes)
    return started(request, form, plan)


_CHANGED = (
    "The plan has changed since you looked at it: this is the new one. Nothing was"
    " started; look at it, and press Start again."
)


def started(request: HttpRequest, form: DeploymentForm, plan: Plan) -> HttpResponse:
    """Start it and go to its room, or say in the builder why not."""
    key = request.POST.get("idempotency_key", "").replace("\0", "")[:64] or str(uuid4())
    data = form.cleaned_data
    template = saved(request, form)["template"]
    try:
        row = deploy(
            data["application"],
            data["environment"],
            data["version"],
            plan,
            by=by(request),
            key=key,
            why=data["reason"],
            template=template.pk if template else None,
        )
    except NotAllowed as error:
        return render(request, "403.html", {"reason": str(error)}, status=403)
    except Refused as error:
        form.add_error(None, ValidationError(led_to(error)))
        return shown(request, form, plan, 409)
    except KeyReused as error:
        form.add_error(None, str(error))
        return shown(request, form, plan, 409)
    return redirect("deployment-detail", row.pk)


def led_to(error: Refused) -> str:
    """Return a refusal as markup, with the way to the deployment that it names."""
    if error.deployment_id is None:
        return str(error)
    room = reverse("deployment-detail", args=[error.deployment_id])
    link = '{} <a class="link" href="{}">Open deployment {}</a>'
    return format_html(link, str(error), room, error.deployment_id)


def made(form: DeploymentForm) -> Plan | None:
    """Return the plan that a form asks for; None, with its errors, if there is none."""
    if not form.is_valid():
        return None
    data = form.cleaned_data
    place = data["application"], data["environment"]
    try:
        only = chosen(*place, data["where"]) if data["where"] else None
    except ValueError as error:
        form.add_error("where", str(error))
        return None
    try:
        return plan_deployment(
            *place, data["version"], form.chosen, form.options(), only
        )
    except InvalidOptions as error:
        form.blame(error)
    except Refused as error:
        form.add_error(None, str(error))
    return None


def shown(
    request: HttpRequest,
    form: DeploymentForm,
    plan: Plan | None,
    status: int = 200,
    changes: list[str] | None = None,
    row: SavedForm | None = None,
    title: str = "Not started.",
    note: str = "",
    taken: SavedForm | None = None,
) -> HttpResponse:
    """Show the builder with a plan, or with what is wrong.

    Args:
        request: what was sent.
        form: what is typed.
        plan: what it makes, if it makes one.
        status: how it went.
        changes: how the plan differs from the one that was seen.
        row: the draft or template that it was opened from.
        title: what was not done, if something is wrong.
        note: why not, where no field is to blame.
        taken: what has the name already under which it was to be saved.
    """
    kept = saved(request, form, row)
    context = {
        "form": form,
        "plan": planned(plan) if plan else None,
        "choice": choice(form, plan),
        "key": request.POST.get("idempotency_key") or str(uuid4()),
        "changes": changes or [],
        "saved": {**kept, "seen": taken.stamp} if taken else kept,
        "title": title,
        "note": note,
        "taken": taken,
        "is_begun": not form.is_bound and bool(form["version"].value()),
    }
    return render(request, "deployments/new.html", context, status=status)


@require_POST
def deployment_preview(request: HttpRequest) -> HttpResponse:
    """Show the plan of what is typed so far; nothing is kept."""
    form = DeploymentForm(request.POST)
    plan = made(form)
    told = planned(plan) if plan else wrong(form)
    if not form["version"].value():
        form.errors.pop("version", None)  # Nobody has come to it yet.
    context = {
        "plan": told,
        "choice": choice(form, plan),
        "form": form,
        "saved": saved(request, form),
    }
    return render(request, "deployments/_preview.html", context)


def choice(form: DeploymentForm, plan: Plan | None) -> dict[str, int] | None:
    """Return how many of the fleet a query chose; None where none was typed."""
    if plan is None or not form.cleaned_data["where"]:
        return None
    whole = fleet_of(form.cleaned_data["application"], form.cleaned_data["environment"])
    return {"count": plan.course.selected, "of": whole.count()}


def wrong(form: DeploymentForm) -> dict[str, Any] | None:
    """Return what keeps the form from being a plan; None while it is incomplete."""
    needed = ("application", "version", "environment")
    if any(not form[name].value() for name in needed):
        return None
    return {
        "errors": [
            text if name == "__all__" else f"{form.fields[name].label or name}: {text}"
            for name, texts in form.errors.items()
            for text in texts
        ]
    }

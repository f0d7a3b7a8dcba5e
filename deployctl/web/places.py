"""Applications and environments: both lists, and adding one of either; removes none."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from deployctl.queries import places
from deployctl.services import fleet
from deployctl.web.denied import says_denied
from deployctl.web.forms import ApplicationForm, EnvironmentForm
from deployctl.web.shell import by


@require_safe
def place_list(request: HttpRequest) -> HttpResponse:
    """Show what there is, and the forms to whoever may add."""
    return shown(request)


@require_POST
@says_denied
def application_add(request: HttpRequest) -> HttpResponse:
    """Add an application, or show the form with what is wrong."""
    form = ApplicationForm(request.POST)
    if form.is_valid():
        try:
            name = form.cleaned_data["application"]
            row = fleet.add_application(name, by=by(request))
        except ValueError as error:
            form.add_error("application", str(error))
        else:
            messages.success(request, f"Application {row} is there.")
            return redirect("place-list")
    return shown(request, application_form=form)


@require_POST
@says_denied
def environment_add(request: HttpRequest) -> HttpResponse:
    """Add an environment, or show the form with what is wrong."""
    form = EnvironmentForm(request.POST)
    if form.is_valid():
        try:
            row = fleet.add_environment(
                form.cleaned_data["environment"],
                by=by(request),
                is_production=bool(form.cleaned_data["production"]),
            )
        except ValueError as error:
            form.add_error("environment", str(error))
        else:
            if form.agrees(row):
                messages.success(request, f"Environment {row} is there.")
                return redirect("place-list")
    return shown(request, environment_form=form)


def shown(
    request: HttpRequest,
    *,
    application_form: ApplicationForm | None = None,
    environment_form: EnvironmentForm | None = None,
) -> HttpResponse:
    """Show the page; a form that was sent is one with something wrong."""
    context = {
        "applications": places.applications(),
        "environments": places.environments(),
        "application_form": application_form or ApplicationForm(),
        "environment_form": environment_form or EnvironmentForm(),
        "may_act": by(request).may_act,
    }
    status = 422 if application_form or environment_form else 200
    return render(request, "places/list.html", context, status=status)

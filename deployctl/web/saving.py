"""Drafts and templates: kept from the builder, listed, renamed and removed."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from deployctl.models import Application, Environment, SavedForm
from deployctl.queries import saved_forms
from deployctl.services.people import Actor
from deployctl.services.saved_forms import (
    Taken,
    keep_draft,
    remove_saved,
    rename_template,
    save_template,
)
from deployctl.web.beginnings import by_id
from deployctl.web.denied import says_denied
from deployctl.web.deployments import shown
from deployctl.web.forms import DeploymentForm
from deployctl.web.shell import by
from strategies import InvalidOptions

_NOT_SAVED = "Not saved."
_NO_PLACE = (
    "Choose an application and an environment first: what is saved is for one place."
)
_NO_TEMPLATE = "Choose a template first; it may have been deleted meanwhile."
_AGAIN = " Save it again to overwrite that one, or choose another name."
_OWN_QUERY = (
    "A template chooses its targets by a saved query, so that all who use it see which."
    " Save this one on the page of the fleet, or leave “Only where” empty. Nothing was"
    " saved."
)


@require_safe
def saved_list(request: HttpRequest) -> HttpResponse:
    """Show one's own drafts, and everybody's templates."""
    context = {
        "drafts": saved_forms.drafts(by_id(request)),
        "templates": saved_forms.templates(),
        "may_act": by(request).may_act,
    }
    return render(request, "deployments/saved.html", context)


@require_POST
@says_denied
def draft_keep(request: HttpRequest) -> HttpResponse:
    """Keep what is typed, right or wrong, and show it as it was kept."""
    form = DeploymentForm(request.POST)
    try:
        row = keep_draft(*what(form), form.typed(), by=by(request), seen=seen(form))
    except (Taken, ValueError) as error:
        return not_saved(request, form, error)
    messages.success(request, f"The draft {row} is kept. Nothing was started.")
    return redirect(f"{reverse('deployment-new')}?draft={row.pk}")


@require_POST
@says_denied
def template_save(request: HttpRequest) -> HttpResponse:
    """Save strategy and options for everybody, and go on with what is typed."""
    form = DeploymentForm(request.POST)
    form.errors.pop("version", None)  # A template has none.
    if form.errors:
        return shown(request, form, None, 422, title=_NOT_SAVED)
    try:
        row = template_of(form, by(request))
    except InvalidOptions as error:
        form.blame(error)
        return shown(request, form, None, 422, title=_NOT_SAVED)
    except (Taken, ValueError) as error:
        return not_saved(request, form, error)
    messages.success(request, f"The template {row} is saved for {row.environment}.")
    return with_template(row, form)


def template_of(form: DeploymentForm, actor: Actor) -> SavedForm:
    """Save a form as a template.

    Raises:
        InvalidOptions, Taken, ValueError: as `save_template`, or for its query.
    """
    where = form.cleaned_data["where"]
    query = next((each for each in form.queries if each.text == where), None)
    if where and query is None:
        raise ValueError(_OWN_QUERY)
    fields = {"strategy": form.chosen, **form.typed_options()}
    return save_template(*what(form), fields, by=actor, query=query, seen=seen(form))


@require_POST
def template_use(request: HttpRequest) -> HttpResponse:
    """Fill strategy and options from a template; what else is typed stays."""
    form = DeploymentForm(request.POST)
    wanted = request.POST.get("wanted", "")
    rows = {str(row.pk): row for row in saved_forms.templates()}
    if wanted not in rows:
        return not_saved(request, form, _NO_TEMPLATE)
    return with_template(rows[wanted], form)


def with_template(row: SavedForm, form: DeploymentForm) -> HttpResponse:
    """Go to the builder with a template, and with what it does not say."""
    kept = {name: form.typed()[name] for name in ("version", "where", "reason")}
    if row.query is not None:
        del kept["where"]  # The template's own.
    address = urlencode({"template": row.pk, **{k: v for k, v in kept.items() if v}})
    return redirect(f"{reverse('deployment-new')}?{address}")


def what(form: DeploymentForm) -> tuple[Application, Environment, str]:
    """Return of what place, and under what name, a form is to be saved.

    Raises:
        ValueError: nobody chose a place.
    """
    form.is_valid()
    application = form.cleaned_data.get("application")
    environment = form.cleaned_data.get("environment")
    if application is None or environment is None:
        raise ValueError(_NO_PLACE)
    return application, environment, sent(form, "saved_as")


def seen(form: DeploymentForm) -> str:
    """Return the stamp of what the person has seen under that name."""
    return sent(form, "seen")


def sent(form: DeploymentForm, name: str) -> str:
    """Return what came with a form and is no field of it."""
    return str(form.data.get(name, "")).replace("\0", "").strip()


def not_saved(
    request: HttpRequest, form: DeploymentForm, why: Exception | str
) -> HttpResponse:
    """Show the builder as it was typed, and why nothing was saved."""
    typed = DeploymentForm(initial=form.typed())
    taken = why.row if isinstance(why, Taken) else None
    note, status = (f"{why}{_AGAIN}", 409) if taken else (str(why), 422)
    return shown(request, typed, None, status, title=_NOT_SAVED, note=note, taken=taken)


@require_POST
@says_denied
def saved_remove(request: HttpRequest, saved_id: int) -> HttpResponse:
    """Remove a template, or a draft of one's own."""
    row = remove_saved(saved_id, by=by(request))
    if row is None:
        messages.error(request, "It is not there any more. Nothing was changed.")
    else:
        messages.success(request, f"The {row.kind} {row} is deleted.")
    return redirect("deployment-saved")


@require_POST
@says_denied
def template_rename(request: HttpRequest, saved_id: int) -> HttpResponse:
    """Give a template another name, or say why not."""
    name = request.POST.get("name", "").replace("\0", "").strip()
    try:
        row = rename_template(saved_id, name, by=by(request))
    except (Taken, ValueError) as error:
        messages.error(request, str(error))
    else:
        if row is None:
            messages.error(request, "It is not there any more. Nothing was changed.")
        else:
            messages.success(request, f"It is called {row} now.")
    return redirect("deployment-saved")

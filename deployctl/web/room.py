"""The room of one deployment: its page, its buttons, what is pressed there."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from deployctl import frames
from deployctl.models import Deployment, Operation
from deployctl.queries import room
from deployctl.services import commands, settling
from deployctl.services.replies import KeyReused, Reply
from deployctl.web.controls import controls
from deployctl.web.shell import by, idempotency_key, number
from deployctl.web.shell import reason as reason_of

#: How a reply's status is said over HTTP, and in which colour.
_ANSWERS = {
    "ok": (HTTPStatus.OK, "success"),
    "noop": (HTTPStatus.OK, "info"),
    "refused": (HTTPStatus.CONFLICT, "error"),
    "stale": (HTTPStatus.CONFLICT, "warning"),
    "denied": (HTTPStatus.FORBIDDEN, "error"),
    "reused": (HTTPStatus.UNPROCESSABLE_ENTITY, "error"),
    "invalid": (HTTPStatus.UNPROCESSABLE_ENTITY, "error"),
}
#: What the pages call a command, where the services have another word for it.
_VERBS = {"retry_rollback": "roll_back"}
_OUTCOMES = {"write_off": "written_off"}


def found(deployment_id: int) -> Deployment:
    """Return a deployment with what its room names, or answer that there is none."""
    try:
        return room.deployment(deployment_id)
    except Deployment.DoesNotExist as error:
        raise Http404(str(error)) from error


@require_safe
def deployment_detail(request: HttpRequest, deployment_id: int) -> HttpResponse:
    """Show the room."""
    row = found(deployment_id)
    context = {**controls(request, row), **room.page(row)}
    return render(request, "deployments/detail.html", context)


@require_safe
def deployment_live(request: HttpRequest, deployment_id: int) -> HttpResponse:
    """Answer what has changed since a sequence number; for catching up and polling."""
    get_object_or_404(Deployment, pk=deployment_id)
    return JsonResponse(frames.since(deployment_id, number(request, "since") or 0))


@require_safe
def deployment_actions(request: HttpRequest, deployment_id: int) -> HttpResponse:
    """Show the buttons as they are for this person now."""
    context = controls(request, found(deployment_id))
    return render(request, "deployments/_controls.html", context)


@require_POST
def deployment_command(request: HttpRequest, deployment_id: int) -> HttpResponse:
    """Press a button: pause, resume, abort, roll back."""
    get_object_or_404(Deployment, pk=deployment_id)
    verb = request.POST.get("command", "")
    kind = _VERBS.get(verb, verb)
    if kind not in commands.KINDS:
        return answer(request, deployment_id, _invalid("There is no such button."))
    return answer(request, deployment_id, pressed(request, deployment_id, kind))


def pressed(request: HttpRequest, deployment_id: int, kind: str) -> Reply:
    """Give the command to the services, and return what became of it."""
    key, reason = idempotency_key(request), reason_of(request)
    if not key:
        return _invalid("The form had no key; load the page again.")
    try:
        return commands.press(
            deployment_id,
            kind,
            by=by(request),
            key=key,
            expected=_expected(request),
            reason=reason,
        )
    except KeyReused as error:
        return Reply("reused", str(error), 0)


@require_POST
def operation_settle(request: HttpRequest, operation_id: int) -> HttpResponse:
    """Say what became of an operation whose outcome nobody could find."""
    row = get_object_or_404(Operation, pk=operation_id)
    said = request.POST.get("outcome", "")
    outcome, key = _OUTCOMES.get(said, said), idempotency_key(request)
    if outcome not in settling.SETTLEMENTS or not key:
        return answer(request, row.deployment_id, _invalid("Choose what it was."))
    try:
        reply = settling.settle(
            row.deployment_id,
            operation_id,
            outcome,
            by=by(request),
            key=key,
            reason=reason_of(request),
        )
    except KeyReused as error:
        reply = Reply("reused", str(error), 0)
    return answer(request, row.deployment_id, reply)


def answer(request: HttpRequest, deployment_id: int, reply: Reply) -> HttpResponse:
    """Answer a script with fresh buttons, a plain browser with the room."""
    status, colour = _ANSWERS[reply.status]
    if not request.headers.get("HX-Request"):
        messages.add_message(request, _LEVELS[colour], reply.message)
        return redirect("deployment-detail", deployment_id)
    notice = {"state": colour, "text": reply.message}
    context = controls(request, found(deployment_id), notice)
    return render(request, "deployments/_controls.html", context, status=status)


_LEVELS = {
    "success": messages.SUCCESS,
    "info": messages.INFO,
    "warning": messages.WARNING,
    "error": messages.ERROR,
}


def _invalid(text: str) -> Reply:
    return Reply("invalid", f"{text} Nothing was changed.", 0)


def _expected(request: HttpRequest) -> int | None:
    value = request.POST.get("expected_control_version", "")
    plausible = value.isascii() and value.isdigit() and len(value) < 16
    return int(value) if plausible else None

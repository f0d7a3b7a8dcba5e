"""Answers for load balancers and supervisors; tells nobody more than up or not."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from deployctl.queries import workers


@require_safe
@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this web process answers; asks nothing of the database."""
    return _plain("ok")


@require_safe
@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether the database answers and a worker beats."""
    try:
        beating = workers.pulse().beating
    except Error:
        return _plain("the database does not answer", 503)
    return _plain("ok") if beating else _plain("no worker beats", 503)


def _plain(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(f"{text}\n", content_type="text/plain", status=status)

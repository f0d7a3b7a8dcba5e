"""Answers for load balancers and supervisors; tells nobody more than up or not."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this web process answers; asks nothing of the database."""
    return HttpResponse("ok\n", content_type="text/plain")

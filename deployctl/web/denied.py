"""What a person gets who may not: a page that says so, for any view of the web."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from deployctl.services.people import NotAllowed

View = Callable[..., HttpResponse]


def says_denied(view: View) -> View:
    """Answer 403, with the services' own sentence, when they refuse the person."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        try:
            return view(request, *args, **more)
        except NotAllowed as error:
            return render(request, "403.html", {"reason": str(error)}, status=403)

    return guarded

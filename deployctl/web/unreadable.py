"""Requests that reach no view: too large, broken, or by a method that is not served.

It reads each form before a view does, so that all are answered alike: in a sentence,
with what to do. What a readable form says is not its affair.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render

Answer = Callable[[HttpRequest], HttpResponse]


def answers_unreadable(following: Answer) -> Answer:
    """Middleware: refuse what cannot be read; stand last, next to the views."""

    def answered(request: HttpRequest) -> HttpResponse:
        refusal = unreadable(request)
        if refusal is not None:
            return refusal
        answer = following(request)
        if isinstance(answer, HttpResponseNotAllowed) and not answer.content:
            return not_served(request, answer)
        return answer

    return answered


def unreadable(request: HttpRequest) -> HttpResponse | None:
    """Return the refusal of what cannot be read; None if it can."""
    try:
        _ = request.GET, request.POST
    except RequestDataTooBig:
        most = f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE / 1_000_000:.1f} MB"
        return refused(
            request,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"What was typed or pasted has over {most}, the most that a form takes.",
            "Send less at once. A fleet that is larger is imported as a file: choose it"
            " instead of pasting its text.",
        )
    except (TooManyFieldsSent, TooManyFilesSent):
        return refused(
            request,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"It has more than {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,} fields or"
            f" {settings.DATA_UPLOAD_MAX_NUMBER_FILES} files, the most that is read.",
            "Go back, load the page again and send its own form.",
        )
    except (MultiPartParserError, BadRequest):
        return refused(
            request,
            HTTPStatus.BAD_REQUEST,
            "The form could not be read: it was cut off on its way, or is not encoded"
            " as our pages encode theirs.",
            "Go back, load the page again and send its form once more.",
        )
    return None


def not_served(request: HttpRequest, answer: HttpResponse) -> HttpResponse:
    """Return the page of a method that an address does not serve."""
    refusal = refused(
        request,
        HTTPStatus.METHOD_NOT_ALLOWED,
        f"This address does not serve {request.method}, only {answer['Allow']}.",
        "Go back, and press the button on the page instead of opening its address."
        if "POST" in answer["Allow"]
        else "Open the address; nothing can be sent to it.",
        "This cannot be done here",
    )
    refusal["Allow"] = answer["Allow"]
    return refusal


def refused(
    request: HttpRequest, status: HTTPStatus, reason: str, action: str, title: str = ""
) -> HttpResponse:
    """Return a whole page, or for a script the note that stands in its region."""
    context = {"reason": reason, "todo": action, "title": title}
    if not request.headers.get("HX-Request"):
        return render(request, "400.html", context, status=status)
    answer = render(request, "partials/refused.html", context, status=status)
    answer["HX-Reswap"] = "innerHTML"
    return answer

"""What follows a deployment that is over: its retry, or the way back from it.

It starts a linked deployment and goes to its room; what is in it is planned elsewhere.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from deployctl.models import Deployment
from deployctl.services import deployments
from deployctl.services.people import NotAllowed
from deployctl.services.planning import Refused
from deployctl.services.replies import KeyReused
from deployctl.web.shell import by, idempotency_key, reason
from strategies import InvalidOptions

#: What starts the deployment that follows, by the button's verb.
_STARTS = {"retry": deployments.retry_failed, "take_back": deployments.take_back}


@require_POST
def deployment_follow(request: HttpRequest, deployment_id: int) -> HttpResponse:
    """Start what follows, and go there; or say in the old room why not."""
    get_object_or_404(Deployment, pk=deployment_id)
    start, key = _STARTS.get(request.POST.get("command", "")), idempotency_key(request)
    if start is None or not key:
        raise Http404("There is no such button.")
    try:
        row = start(deployment_id, by=by(request), key=key, why=reason(request))
    except (NotAllowed, KeyReused, Refused) as error:
        messages.error(request, str(error))
    except InvalidOptions as error:
        messages.error(request, f"{error} Nothing was started.")
    else:
        return redirect("deployment-detail", row.pk)
    return redirect("deployment-detail", deployment_id)

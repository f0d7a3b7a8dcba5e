"""What tests of a room's page ask again and again."""

from __future__ import annotations

from django.test import Client

from deployctl.models import Deployment


def page(client: Client, deployment: Deployment) -> str:
    """Return the room's page."""
    answer = client.get(f"/deployments/{deployment.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()


def seen(deployment: Deployment) -> int:
    """Return the control version that a fresh page shows."""
    deployment.refresh_from_db()
    return deployment.control_version


def reread(deployment: Deployment) -> Deployment:
    """Return the row as it is stored now."""
    return Deployment.objects.get(pk=deployment.pk)

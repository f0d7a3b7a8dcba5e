"""Rows and their constraints; what may change them is the services' affair."""

from __future__ import annotations

from deployctl.models.audit import Audit
from deployctl.models.deployments import (
    Command,
    Deployment,
    Event,
    Operation,
    Plan,
    Zones,
)
from deployctl.models.fleet import (
    Application,
    Environment,
    SavedQuery,
    Target,
    Version,
)
from deployctl.models.people import Attempts
from deployctl.models.routers import Router
from deployctl.models.saved import SavedForm
from deployctl.models.secrets import Secret
from deployctl.models.workers import Worker

__all__ = [
    "Application",
    "Attempts",
    "Audit",
    "Command",
    "Deployment",
    "Environment",
    "Event",
    "Operation",
    "Plan",
    "Router",
    "SavedForm",
    "SavedQuery",
    "Secret",
    "Target",
    "Version",
    "Worker",
    "Zones",
]

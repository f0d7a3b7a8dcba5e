"""Addresses of sockets: holds the map, and refuses to know what is behind it."""

from __future__ import annotations

from typing import Any

from channels.routing import URLRouter
from django.urls import path, re_path

from deployctl.live.consumers import RoomSocket, nowhere
from deployctl.live.hub import Hub


def sockets(hub: Hub) -> Any:
    """Return the application that serves every socket of this process from one hub."""
    room: Any = RoomSocket.as_asgi(hub=hub)
    others: Any = nowhere  # Django's types know views alone
    return URLRouter(
        [path("ws/deployments/<int:deployment_id>/", room), re_path(r"", others)]
    )

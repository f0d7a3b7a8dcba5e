"""What a server serves: holds the protocols, and refuses to know any page."""

from __future__ import annotations

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deployctl.settings")

application = ProtocolTypeRouter({"http": get_asgi_application()})

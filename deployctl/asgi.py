"""What a server serves: holds the protocols, and refuses to know any page."""

from __future__ import annotations

import gc
import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deployctl.settings")
# Before the next imports: what they name needs Django set up.
pages = get_asgi_application()

from deployctl.live.hub import Hub  # noqa: E402
from deployctl.live.routing import sockets  # noqa: E402

application = ProtocolTypeRouter({"http": pages, "websocket": sockets(Hub())})

# What is imported by now stays: looking through it for garbage stops every page.
gc.collect()
gc.freeze()

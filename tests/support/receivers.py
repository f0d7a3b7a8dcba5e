"""A service of one's own that takes signed requests, as its author would write it.

It checks signatures by itself, does each request once, however often it is delivered,
and ends it within the seconds that it is told. What is written here is written without
our code: it is what others rely on.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

SECRET = "whsec_" + base64.b64encode(b"shared by both sides, 32 bytes..").decode()
#: What does a request: it gets the data and the time by which it must be over.
Effect = Callable[[dict[str, Any], float], str]


def is_signed(headers: Any, body: bytes) -> bool:
    """Say whether a request came from whoever has the secret, just now."""
    key, at = headers.get("webhook-id"), headers.get("webhook-timestamp")
    if not key or not at or abs(time.time() - int(at)) > 300:
        return False
    secret = base64.b64decode(SECRET[6:])
    mac = hmac.new(secret, f"{key}.{at}.".encode() + body, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(mac).decode()
    return hmac.compare_digest(wanted, headers.get("webhook-signature", ""))


class Receiver:
    """Serves on a free port until it is stopped.

    Attributes:
        effect: does a request; an empty answer is success, another says why not.
        said: what it answers when it is asked for a path under /say/.
        delivered: the id of each delivery, in order; `done`: of each effect.
        spoil: what it does to an answer to a delivery: none, cut, 503 or refuse.
    """

    def __init__(self, effect: Effect) -> None:
        self.effect = effect
        self.said: dict[str, dict[str, Any]] = {}
        self.delivered: list[str] = []
        self.done: list[str] = []
        self.spoil: list[str] = []
        self.states: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.post(self, body)

            def do_GET(self) -> None:
                receiver.get(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Serve nobody any more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def post(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Take a request, once for each id."""
        if not is_signed(handler.headers, body):
            answer(handler, 401, {"error": "not signed by us"})
            return
        key = str(handler.headers["webhook-id"])
        with self._lock:
            self.delivered.append(key)
            how = self.spoil.pop(0) if self.spoil else ""
            if how in ("503", "refuse"):
                answer(handler, 503 if how == "503" else 422, {"error": "not today"})
                return
            if key not in self.states:
                self.states[key] = {"state": "running"}
                told = json.loads(body)["data"]
                threading.Thread(target=self._do, args=(key, told)).start()
        if how == "cut":
            handler.close_connection = True
            handler.connection.close()
            return
        answer(handler, 202, self.states[key])

    def _do(self, key: str, told: dict[str, Any]) -> None:
        error = self.effect(told, time.monotonic() + told["seconds"])
        self.done.append(key)
        ended = "failed" if error else "succeeded"
        self.states[key] = {"state": ended, "error": error, "output": "did it"}

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        """Say what became of a request, or what is said under a path."""
        if not is_signed(handler.headers, b""):
            answer(handler, 401, {"error": "not signed by us"})
            return
        kind, _, name = handler.path[1:].partition("/")
        known = self.states if kind == "status" else self.said
        found = known.get(unquote(name))
        answer(handler, 200 if found else 404, found or {"error": "unknown"})


def answer(handler: BaseHTTPRequestHandler, status: int, body: dict[str, Any]) -> None:
    """Answer with an object."""
    raw = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(raw)))
    handler.end_headers()
    handler.wfile.write(raw)


def slept(seconds: float, until: float) -> bool:
    """Work for so long, but not beyond a time; say whether there was time enough."""
    left = until - time.monotonic()
    time.sleep(max(0.0, min(seconds, left)))
    return seconds <= left

"""Signed requests to a service of one's own, told once and asked until it is done.

A request is signed as Standard Webhooks says (webhook-id, webhook-timestamp,
webhook-signature): HMAC-SHA256 over id, time and body. It may be delivered several
times under one id, which the service must take for one request. It knows no target and
no router: what is told, and what an answer means for them, is theirs.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployctl.engine import clean, objects, reach
from deployctl.engine.effects import (
    Applied,
    NotSent,
    OutcomeUnknown,
    ProbeFailed,
    StaleFence,
    inner,
)
from deployctl.engine.http import Http, Lost
from deployctl.engine.reach import Reach

MOST_BYTES = 1024 * 1024
#: From one delivery or question to the next: from the first to the most, doubling.
FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 0.2, 5.0
#: A delivery or a question that is not answered by then is made again.
TRY_SECONDS = 15.0
#: Answers after which the same request is delivered again.
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_KEY_PREFIX = "whsec_"


@dataclass(frozen=True)
class Hook:
    """Where a service is told and asked, and what it knows us by.

    Attributes:
        url: takes the request.
        status: says what became of it; `{id}` stands for the request's id.
        secret: the name of the secret that both sides sign with.
    """

    url: str
    status: str
    secret: str
    reach: Reach


def hook_problems(settings: Mapping[str, object]) -> dict[str, str]:
    """Return what is wrong with the settings `status` and `secret`, by name."""
    found = {
        "status": reach.url_problem(settings.get("status"), path=True),
        "secret": reach.secret_name_problem(settings.get("secret")),
    }
    if not found["status"] and "{id}" not in str(settings["status"]):
        found["status"] = "must say {id} somewhere, for the request that is meant"
    return {name: problem for name, problem in found.items() if problem}


def signed(secret: str, key: str, at: int, body: bytes) -> dict[str, str]:
    """Return the headers of a request.

    Args:
        secret: as text, or as `whsec_` and base64, which is how such services show it.
        key: the request's id, the same for each delivery.
        at: seconds since 1970; a service refuses what is too old.

    Raises:
        ValueError: the secret begins with `whsec_`, and no base64 follows.
    """
    raw = secret.encode()
    if secret.startswith(_KEY_PREFIX):
        try:
            raw = base64.b64decode(secret.removeprefix(_KEY_PREFIX), validate=True)
        except binascii.Error:
            raise ValueError("it begins with whsec_, and no base64 follows") from None
    content = f"{key}.{at}.".encode() + body
    mac = hmac.new(raw, content, hashlib.sha256).digest()
    return {
        "webhook-id": key,
        "webhook-timestamp": str(at),
        "webhook-signature": "v1," + base64.b64encode(mac).decode("ascii"),
    }


class Webhooks:
    """Tells and asks services, on one event loop, and is closed there."""

    def __init__(self) -> None:
        self._http: Http | None = None

    def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            self._http.close()
            self._http = None

    async def read(self, hook: Hook, url: str, *, seconds: float) -> dict[str, Any]:
        """Ask for an object; the question is signed too, with an empty body.

        Raises:
            ProbeFailed: there is no answer, or none that makes sense.
        """
        key = hashlib.sha256(url.encode()).hexdigest()[:32]
        try:
            status, raw = await self._sent(hook, "GET", url, key, None, seconds)
        except Lost as lost:
            raise ProbeFailed(clean.line(str(lost))) from None
        body = objects.read(raw)
        if status != 200 or body is None:
            raise ProbeFailed(_said(status, raw))
        return body

    async def change(
        self,
        hook: Hook,
        key: str,
        what: str,
        told: Mapping[str, Any],
        *,
        seconds: float,
    ) -> Applied:
        """Tell a service to change something, and ask until it says how that ended.

        Args:
            key: the same one is the same request, however often it is delivered.
            what: the request's `type`; `told` is its `data`, besides `seconds`: by
                then it must be over, counted from the delivery that is taken.

        Raises:
            NotSent, OutcomeUnknown, StaleFence: as they say.
        """
        until = _now() + seconds
        answer = await self._delivered(hook, key, {"type": what, "data": told}, until)
        url = hook.status.replace("{id}", key)
        last, pauses = "it did not say how it ended", _Pauses(until)
        while (ended := _ended(answer)) is None:
            left = await pauses.next()
            if left <= 0:
                raise OutcomeUnknown(f"no end in time: {last}")
            try:
                answer = await self.read(hook, url, seconds=left)
                last = f"the last that it said was {answer.get('state')!r:.40}"
            except ProbeFailed as error:
                last = str(error)
        return ended

    async def _delivered(
        self, hook: Hook, key: str, request: Mapping[str, Any], until: float
    ) -> dict[str, Any]:
        """Deliver until somebody takes it; what refuses it has changed nothing."""
        reached, last = False, "there was no time for it"
        left, pauses = until - _now(), _Pauses(until)
        while left > 0:
            told = {**request["data"], "seconds": inner(left)}
            body = json.dumps({**request, "data": told}).encode("ascii")
            try:
                status, raw = await self._sent(hook, "POST", hook.url, key, body, left)
            except Lost as lost:
                reached, last = reached or lost.sent, clean.line(str(lost))
                if not lost.sent and not lost.nobody:
                    break  # A certificate, a secret: it will not be better in a moment.
            else:
                answer = objects.read(raw) or {}
                if 200 <= status < 300:
                    return answer
                last = _said(status, raw)
                if status == 409 and answer.get("error") == "stale":
                    raise StaleFence(last, heard=answer.get("fence"))
                if status not in _AGAIN:
                    return {"state": "failed", "error": last}
                reached = True
            left = await pauses.next()
        raise OutcomeUnknown(last) if reached else NotSent(last)

    async def _sent(
        self,
        hook: Hook,
        method: str,
        url: str,
        key: str,
        body: bytes | None,
        seconds: float,
    ) -> tuple[int, bytes]:
        secret = hook.reach.secret(hook.secret)
        if secret is None:
            raise Lost(reach.no_secret(hook.secret), sent=False)
        try:
            headers = signed(secret, key, int(time.time()), body or b"")
        except ValueError as error:
            raise Lost(f"the secret {hook.secret}: {error}", sent=False) from None
        if self._http is None:
            self._http = Http()
        return await self._http.request(
            method,
            url,
            reach=hook.reach,
            seconds=min(seconds, TRY_SECONDS),
            most_bytes=MOST_BYTES,
            headers={**headers, "Content-Type": "application/json"},
            body=body,
        )


class _Pauses:
    """Pauses that grow, until a time."""

    def __init__(self, until: float) -> None:
        self._until, self._seconds = until, FIRST_PAUSE_SECONDS

    async def next(self) -> float:
        """Wait, and return the seconds that are left then: 0 if there is no time."""
        if _now() + self._seconds >= self._until:
            return 0.0
        await asyncio.sleep(self._seconds)
        self._seconds = min(2 * self._seconds, MOST_PAUSE_SECONDS)
        return self._until - _now()


def _ended(answer: Mapping[str, Any]) -> Applied | None:
    """Read `state`: succeeded or failed; anything else is not the end."""
    state, error, output = (answer.get(name) for name in ("state", "error", "output"))
    if state not in ("succeeded", "failed"):
        return None
    text = clean.line(error) if isinstance(error, str) else ""
    return Applied(
        ok=state == "succeeded",
        error=text if state == "succeeded" or text else "it failed",
        output=clean.text(output) if isinstance(output, str) else "",
    )


def _said(status: int, raw: bytes) -> str:
    said = clean.line(raw[:2000])
    return f"HTTP {status}: {said}" if said else f"HTTP {status}"


def _now() -> float:
    return asyncio.get_running_loop().time()

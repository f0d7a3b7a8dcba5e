"""Who may listen: the origin of a handshake, and the session behind it.

It reads only: a socket never ends, renews or writes a session.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    load_backend,
)
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils.crypto import constant_time_compare
from django.utils.http import is_same_domain

from deployctl.models import Deployment
from deployctl.services.people import NotAllowed, actor_of

#: Close codes: these two tell the page not to come back by itself.
SIGN_IN = 4401
NO_RIGHT = 4403
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Answer:
    """Who asked, and the code to close with; 0 is welcome."""

    code: int
    user_id: int = 0


def is_own_origin(scope: dict[str, Any]) -> bool:
    """Whether a handshake comes from a page of ours: scheme, host and port.

    Browsers always send an Origin; who sends none is no browser, and has no business
    here.
    """
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin1")
    host = headers.get(b"host", b"").decode("latin1")
    given = _parts(origin)
    if given is None:
        return False
    scheme = "https" if scope.get("scheme") in ("wss", "https") else "http"
    known = settings.ALLOWED_HOSTS
    if given == _parts(f"{scheme}://{host}"):
        # A name that leads here but is not ours is another site's trick.
        return validate_host(split_domain_port(host.lower())[0], known)
    return any(_trusts(trusted, given) for trusted in settings.CSRF_TRUSTED_ORIGINS)


def session_key(scope: dict[str, Any]) -> str:
    """Return the session's key from a handshake's cookies, or an empty text."""
    cookies = dict(scope["headers"]).get(b"cookie", b"").decode("latin1")
    return str(parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, ""))


def check(key: str, deployment_id: int) -> Answer:
    """Say whether whoever holds this session may listen to this deployment, now."""
    user = _user(key)
    if user is None:
        return Answer(SIGN_IN)
    try:
        actor = actor_of(user)
    except NotAllowed:
        return Answer(SIGN_IN)
    if not Deployment.objects.filter(pk=deployment_id).exists():
        return Answer(NO_RIGHT, actor.user_id)
    return Answer(0, actor.user_id)


def _user(key: str) -> AbstractBaseUser | None:
    """Return the session's user, as today's request would see them; None if nobody."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    path = session.get(BACKEND_SESSION_KEY)
    if not key or path not in settings.AUTHENTICATION_BACKENDS:
        return None
    user: AbstractBaseUser | None = load_backend(path).get_user(session[SESSION_KEY])
    if user is None:
        return None
    # A changed password ends every session; a rotated signing key ends none.
    good = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    given = session.get(HASH_SESSION_KEY, "")
    return user if any(constant_time_compare(given, known) for known in good) else None


def _trusts(trusted: str, given: tuple[str, str, int]) -> bool:
    """Compare with an entry of CSRF_TRUSTED_ORIGINS, as Django does for posts."""
    wild = _parts(trusted.replace("://*", "://", 1))
    if wild is None or (wild[0], wild[2]) != (given[0], given[2]):
        return False
    return is_same_domain(given[1], wild[1]) if "*" in trusted else given[1] == wild[1]


def _parts(origin: str) -> tuple[str, str, int] | None:
    """Return (scheme, host, port), with the port that goes without saying."""
    try:
        url = urlsplit(origin)
        port = url.port
    except ValueError:
        return None
    if url.scheme not in _PORTS or not url.hostname:
        return None
    if url.path or url.query or url.fragment or "@" in url.netloc:
        return None
    return url.scheme, url.hostname, port or _PORTS[url.scheme]

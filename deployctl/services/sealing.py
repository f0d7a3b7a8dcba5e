"""The keys of secrets, and sealing a value so that it opens in its own row only.

Keys come from `DEPLOYCTL_SECRETS_KEY`, or else from the file that
`DEPLOYCTL_SECRETS_KEY_FILE` names: 32 bytes each in base64, the newest first, with
blanks or line ends between them. They are read whenever they are needed, so that a file
with a new key counts at once. It knows no table, and says neither a key nor a value.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

#: Where keys may stand instead of in the file.
VARIABLE = "DEPLOYCTL_SECRETS_KEY"
_KEY_BYTES, _NONCE_BYTES = 32, 12


class NoKey(Exception):
    """There is no key, or none that is needed; the text says where it is looked for."""


class NotOpened(Exception):
    """What is sealed was changed, or stands in another row than its own."""


@dataclass(frozen=True)
class Place:
    """The row that a sealed value belongs to; it is part of what the seal proves."""

    id: int
    environment_id: int | None
    name: str

    def encoded(self) -> bytes:
        """Return the associated data: another place never has the same."""
        return json.dumps(
            ["deployctl.secret", self.id, self.environment_id, self.name]
        ).encode("ascii")


@dataclass(frozen=True)
class Key:
    """One key; its id is a digest, by which a row says which key opens it."""

    id: str
    _bytes: bytes = field(repr=False)

    def seal(self, value: str, place: Place) -> bytes:
        """Return the value, sealed for one place: AES-256-GCM behind its nonce."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(self._bytes).encrypt(nonce, value.encode(), place.encoded())
        return nonce + sealed

    def open(self, sealed: bytes, place: Place) -> str:
        """Return what was sealed for this place.

        Raises:
            NotOpened: it is not what this key sealed for it.
        """
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return AESGCM(self._bytes).decrypt(nonce, rest, place.encoded()).decode()
        except (InvalidTag, ValueError):
            raise NotOpened(
                f"the secret {place.name} does not open in its row"
            ) from None


@dataclass(frozen=True)
class Keys:
    """All keys of this process; new values are sealed with the newest."""

    newest: Key
    by_id: dict[str, Key]

    def open(self, key_id: str, sealed: bytes, place: Place) -> str:
        """Return what was sealed for this place, with the key that it names.

        Raises:
            NoKey: that key is not among these.
            NotOpened: as `Key.open`.
        """
        key = self.by_id.get(key_id)
        if key is None:
            raise NoKey(
                f"The secret {place.name} needs the key {key_id}, which is not in"
                f" {source()}."
            )
        return key.open(sealed, place)


def keys() -> Keys:
    """Return the keys as they are there now.

    Raises:
        NoKey: there is none, or something there is no key.
    """
    words = _text().split()
    if not words:
        raise NoKey(
            f"There is no key for secrets in {source()}. Nothing was changed."
            " `openssl rand -base64 32` makes one; web and all workers need the same."
        )
    read = [_key(number, word) for number, word in enumerate(words, start=1)]
    return Keys(read[0], {key.id: key for key in read})


def source() -> str:
    """Say where the keys are looked for."""
    if os.environ.get(VARIABLE):
        return VARIABLE
    return f"{settings.SECRETS_KEY_FILE}"


def _text() -> str:
    given = os.environ.get(VARIABLE)
    if given:
        return given
    try:
        return str(settings.SECRETS_KEY_FILE.read_text(encoding="ascii"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise NoKey(
            f"The key for secrets cannot be read: {source()}: {reason}."
        ) from None


def _key(number: int, word: str) -> Key:
    plain = word.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        found = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != _KEY_BYTES:
        raise NoKey(
            f"Word {number} of {source()} is no key: it must be {_KEY_BYTES} bytes in"
            " base64, as `openssl rand -base64 32` makes them."
        )
    return Key(hashlib.sha256(b"deployctl key id" + found).hexdigest()[:12], found)

"""Keys for secrets in tests, as people write them."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from deployctl.services import sealing


def new_key() -> str:
    """Return a key: 32 bytes in base64."""
    return base64.b64encode(os.urandom(32)).decode()


@pytest.fixture
def keys(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of keys, with one in it."""
    monkeypatch.delenv(sealing.VARIABLE, raising=False)
    settings.SECRETS_KEY_FILE = tmp_path / "secrets-key"
    settings.SECRETS_KEY_FILE.write_text(new_key())
    return tmp_path / "secrets-key"

"""What tests share: servers, databases, processes; holds no test."""

from __future__ import annotations

from pathlib import Path

#: The project's folder.
ROOT = Path(__file__).resolve().parents[2]

"""The shell around the strategies: holds a version, refuses to import."""

from __future__ import annotations

__version__ = "0.1.0"

"""The product: one Django project and its one application; see docs/architecture.md."""

from __future__ import annotations

__version__ = "0.1.0"

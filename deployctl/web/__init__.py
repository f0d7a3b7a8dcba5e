"""HTTP in, HTML out: holds the pages, and refuses to write or to touch a target."""

from __future__ import annotations

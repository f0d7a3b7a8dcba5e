"""Commands of manage.py: holds one file a command, and refuses to hold logic."""

from __future__ import annotations

"""What can be told to a person when starting fails; holds no handling."""

from __future__ import annotations


class LaunchError(Exception):
    """Starting failed; the text says what happened and what to do about it."""

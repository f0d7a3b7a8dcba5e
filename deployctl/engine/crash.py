"""Named points at which a test may end the process; it does nothing else, ever."""

from __future__ import annotations

import os

#: "name:n" ends the process, as a kill would, the n-th time that the point is passed.
_NAME, _, _COUNT = os.environ.get("DEPLOYCTL_CRASH_AT", "").partition(":")
_passed = 0


def point(name: str) -> None:
    """Pass a named point; the process may not survive it."""
    global _passed
    if name == _NAME:
        _passed += 1
        if _passed == int(_COUNT or 1):
            os._exit(137)

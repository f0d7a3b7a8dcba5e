"""JSON that a person names, or pipes in; what it means is the command's."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from deployctl.management.terminal.base import Wrong


def read_json(file: str) -> Any:
    """Return what a file has, or stdin if it is `-`.

    Raises:
        Wrong: it cannot be read, or is no JSON.
    """
    named = "stdin" if file == "-" else file
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
        return json.loads(text)
    except OSError as error:
        raise Wrong(f"{named} could not be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Wrong(f"{named} could not be read: it is not UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise Wrong(f"{named} is no JSON: {error}.") from None

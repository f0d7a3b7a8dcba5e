#!/usr/bin/env python3
"""The one entry for every command; it holds no commands and refuses to know them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.core.management import execute_from_command_line


def main() -> None:
    """Run the command named on the command line, from any folder."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deployctl.settings")
    from deployctl.environment import Wrong

    try:
        execute_from_command_line(sys.argv)
    except Wrong as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The one entry for every command; it holds no commands and refuses to know them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django
from django.core.management import ManagementUtility


def main() -> None:
    """Run the command named on the command line, from any folder."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deployctl.settings")
    from deployctl.environment import Wrong

    utility = ManagementUtility(sys.argv)
    try:
        if sys.argv[1:2] == ["version"]:
            # Django keeps this word for its own number; ours has verbs behind it.
            django.setup()
            utility.fetch_command("version").run_from_argv(sys.argv)
        else:
            utility.execute()
    except Wrong as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

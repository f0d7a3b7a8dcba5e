"""Hunt the seeded faults: `python -m tests.mutants [area ..]`; all areas if none."""

from __future__ import annotations

import os
import sys

import django


def _main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deployctl.settings")
    django.setup()  # The areas name models, which want this first.
    from tests.mutants.runner import main

    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(1 if _main() else 0)

"""One round of measurements; importing it sets Django up on DATABASE_URL."""

from __future__ import annotations

import django

django.setup()

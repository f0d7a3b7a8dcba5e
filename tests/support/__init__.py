"""What tests share: servers, databases, processes; holds no test."""

from __future__ import annotations

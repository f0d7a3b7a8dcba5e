"""Starting and stopping processes on one machine; knows no page, table or strategy.

It stands outside the layers: commands and tests use it, and it uses none of them.
"""

from __future__ import annotations

from deployctl.launch.errors import LaunchError
from deployctl.launch.places import Places
from deployctl.launch.postgres import Postgres
from deployctl.launch.roles import Addresses, prepare_database
from deployctl.launch.supervisor import Child, Supervisor

__all__ = [
    "Addresses",
    "Child",
    "LaunchError",
    "Places",
    "Postgres",
    "Supervisor",
    "prepare_database",
]

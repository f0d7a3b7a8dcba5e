"""Measurements against an ideal or a peer in the same run; it tests nothing.

`python -m bench` starts a PostgreSQL of its own and one round in it. `round` holds what
needs Django; the other modules know processes, agents and peers only.
"""

from __future__ import annotations

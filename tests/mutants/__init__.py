"""Faults put into our own code on purpose, which the tests must find.

A net is only worth what it catches. `make mutants` hunts them all and prints a table;
the suite hunts those of the core too.
"""

from __future__ import annotations

"""Faults put into our own code on purpose, which the tests must find.

A net is only worth what it catches. `make mutants` hunts them all and prints a table;
`make test` hunts them too: those of the core without a database, all others on one.
"""

from __future__ import annotations

"""The formats of fleets as files, by name; it knows none from the inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from deployctl.inventories import csvs, ini, jsons, yamls
from deployctl.inventories.cells import value_of
from deployctl.inventories.rows import Inventory, NoInventory, Row
from deployctl.inventories.texts import decoded

_READ: Mapping[str, Callable[[str], Inventory]] = {
    "csv": csvs.read,
    "json": jsons.read,
    "ansible-ini": ini.read,
    "ansible-yaml": yamls.read,
}
_WRITTEN: Mapping[str, Callable[[Iterable[Row]], Iterator[str]]] = {
    "csv": csvs.written,
    "json": jsons.written,
}
_ENDINGS = {
    "csv": "csv",
    "tsv": "csv",
    "json": "json",
    "ini": "ansible-ini",
    "yml": "ansible-yaml",
    "yaml": "ansible-yaml",
}
#: What can be read, and what can be written.
READ, WRITTEN = tuple(_READ), tuple(_WRITTEN)


def read(data: bytes, format: str, settings: str = "") -> Inventory:
    """Return what a file says, in one of the formats of `READ`.

    Args:
        data: the file.
        format: what it is.
        settings: what each target has that the file does not name, as `key=deploy`,
            separated by spaces: an inventory of Ansible knows no secrets by name.

    Raises:
        NoInventory: it is none, or those are no settings, and why.
    """
    more = dict(map(_setting, settings.split()))
    found = _READ[format](decoded(data))
    for row in found.rows if more else ():
        row.settings = {**more, **row.settings}
    return found


def _setting(text: str) -> tuple[str, Any]:
    name, sign, cell = text.partition("=")
    if not (name and sign and cell):
        raise NoInventory(f"{text[:80]} is no setting: it is NAME=VALUE.")
    return name, value_of(cell)


def written(rows: Iterable[Row], format: str) -> Iterator[str]:
    """Yield the parts of a file that says this, in one of the formats of `WRITTEN`."""
    return _WRITTEN[format](rows)


def by_ending(name: str) -> str:
    """Return the format that the end of a file's name tells; "" if it tells none."""
    return _ENDINGS.get(name.rpartition(".")[2].lower(), "")

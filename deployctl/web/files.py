"""Files to download: a table as CSV, sent as it is read; it knows no table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse

from deployctl.queries.sheets import Cell, safe


class _Line:
    """What `csv` writes to, and what it wrote last."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        """Keep one line."""
        self.text = text


def sent(rows: Iterable[Iterable[Cell]], name: str) -> StreamingHttpResponse:
    """Return rows as a CSV file to be kept; cells are made safe for a spreadsheet."""
    answer = StreamingHttpResponse(lines(rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def lines(rows: Iterable[Iterable[Cell]]) -> Iterator[str]:
    """Yield rows as lines of CSV, as RFC 4180 has them."""
    line = _Line()
    writer = csv.writer(line)
    for row in rows:
        writer.writerow([safe(cell) for cell in row])
        yield line.text

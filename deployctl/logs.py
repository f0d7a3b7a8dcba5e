"""How a log line is written: a JSON object, or words for a terminal; knows no event."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor


class ClientsFaults(logging.Filter):
    """Makes a warning without a traceback of what a client sent wrongly.

    Django logs it as an error of the program: a wrong Host, a form that is too large.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change what came from elsewhere; keep every record."""
        if record.name.startswith("django.security."):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = None
        elif record.name == "django.request" and record.levelno < logging.ERROR:
            record.exc_info = None
        return True


def formatter() -> logging.Formatter:
    """A formatter for standard logging and structlog alike; sets structlog up too.

    A terminal gets words, anything else one JSON object a line, so that text which a
    target sent cannot forge a line of its own.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    # Where rich is installed, a terminal would be shown each variable of each frame:
    # headers, tokens and keys among them.
    plain = structlog.dev.plain_traceback
    ending: list[Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=plain)]
        if sys.stderr.isatty()
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *ending,
        ],
    )

"""With which number a command ends, for scripts; `docs/terminal.md` has the table.

It knows no deployment and no command.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """What became of what was asked."""

    #: Done, and, where it was waited for, ended as asked.
    DONE = 0
    #: Refused, or asked wrongly; the sentence is on stderr.
    REFUSED = 1
    #: Words that are no command line; argparse's own.
    USAGE = 2
    #: It ended otherwise: failed, halted, rolled back when a version was asked for.
    NOT_AS_ASKED = 3
    #: It waits for a person, and `--until-gate` asked to wait no longer.
    WAITS = 4
    #: Ctrl-C: following has stopped, the deployment has not.
    INTERRUPTED = 130
    #: Nobody reads any more what is printed.
    NO_READER = 141

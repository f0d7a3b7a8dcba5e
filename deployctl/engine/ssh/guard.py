"""Commands on a host, and what ends them in time; it opens no connection."""

from __future__ import annotations

import math
import shlex

#: A shell's word for a command that is not there, or may not be run.
NO_COMMAND = (126, 127)
#: Runs a command of one's own, and kills it with all of its process group when its time
#: is over or our end of the connection closes, as it does when the worker dies. It must
#: do so itself: sshd kills nothing when a connection goes. A request that did not
#: arrive whole runs nothing.
_GUARD = """
IFS= read -r seconds && IFS= read -r line || exit 125
exec 3<&0
{ while read -r more; do :; done <&3; kill -KILL 0; } >/dev/null 2>&1 &
input=$!
exec 3<&-
{ trap 'kill $nap; exit' TERM; sleep "$seconds" & nap=$!; wait $nap && kill -KILL 0
} </dev/null >/dev/null 2>&1 &
time=$!
printf '%s\\n' "$line" | "$@"
status=$?
kill $input $time
exit $status
"""


def guarded(command: str, line: str, seconds: float) -> tuple[str, str]:
    """Return the command line and the input that run a command inside the guard.

    Args:
        command: as a shell reads it; `line` is its own input, with its end.
        seconds: until it is killed, on hosts whose sleep knows whole ones.
    """
    words = shlex.join(["sh", "-c", _GUARD, "sh"])
    # Whoever asks closes its end at the exact time.
    return f"{words} {command}", f"{math.ceil(seconds)}\n{line}"


def words_problem(words: object) -> str:
    """Return what is wrong with a command of the settings, or an empty text."""
    if not isinstance(words, list) or not words or not all(map(_is_word, words)):
        return "must be a list of words, the first of them the command"
    return ""


def _is_word(word: object) -> bool:
    return isinstance(word, str) and 0 < len(word) <= 4096 and word.isprintable()

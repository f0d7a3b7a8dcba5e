"""The small process that starts a worker's programs, and outlives it to kill them.

It is the standard library alone, so that it starts quickly and its forks are small;
it knows no deployment and decides nothing of what is run. `processes.py` is its other
side, and ADR 0012 has the reasons.

The keeper forks a *guard* for each program. A guard is the program's parent and holds a
socket whose other end only the worker has: when that end is shut, by a cancellation or
by any death of the worker, or when time is out, it kills the program's process group.
On Linux it is the subreaper of all that the program ever starts, so that what made a
session of its own falls back to it and is killed too; it goes when it has no child
left. The keeper is a subreaper behind it, in case that a guard is killed.

**A request** comes by the guard's socket: a line of JSON {argv, environment, cwd,
until, kept_bytes, stdin_bytes}, then what the program may read. `until` is monotonic
time.

**The answer**: a line of JSON {why, status, cut_bytes, head_bytes}, or {errno, path} if
nothing was run, then the kept output; then the socket is closed. `why` is `ended`,
`deadline` or `stopped`.
"""

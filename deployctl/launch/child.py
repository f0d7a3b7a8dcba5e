"""Becomes another program that cannot outlive its parent; standard library only.

Run as a script, between fork and exec: a preexec function would run Python in a forked
copy of a process that may have threads. It takes back what a background shell left
behind (ignored signals), asks the kernel for a signal at its parent's death, and, as
root, gives PostgreSQL a user that is not 0.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pwd
import signal
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
RESET = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


def command(
    argv: list[str],
    *,
    death_signal: int = signal.SIGKILL,
    map_user: bool = False,
    user: str = "",
) -> list[str]:
    """The argv that runs `argv` as a child of this process, and never longer than it.

    `map_user` runs it in a user namespace where it is not root; `user` runs it as
    another user. The pid stays that of the process which is started.
    """
    given = [f"--parent={os.getpid()}", f"--death-signal={int(death_signal)}"]
    given += ["--map-user"] if map_user else []
    given += [f"--user={user}"] if user else []
    return [sys.executable, "-I", "-S", __file__, *given, "--", *argv]


def enter_user_namespace() -> None:
    """Become a user that is not root, whose files are root's outside; or OSError."""
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    # initdb wants a name for its user, so take one that this machine knows.
    inside = next((p.pw_uid for p in pwd.getpwall() if p.pw_uid not in (0, 65534)), 1)
    for name, text in (
        ("uid_map", f"{inside} {uid} 1"),
        ("setgroups", "deny"),
        ("gid_map", f"{inside} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def become(name: str) -> None:
    """Drop to another user for good; its groups too."""
    entry = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def die_with(parent: int, death_signal: int) -> None:
    """Ask for a signal when the parent ends; leave at once if it already has."""
    if sys.platform == "linux":
        # After every change of user: such a change takes the request back.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            raise SystemExit("the parent ended before its child began")


def main() -> None:
    """Prepare as the arguments say, then become the program after `--`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, required=True)
    parser.add_argument("--map-user", action="store_true")
    parser.add_argument("--user", default="")
    parser.add_argument("argv", nargs="+")
    given = parser.parse_args()
    for number in RESET:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if given.map_user:
        enter_user_namespace()
    if given.user:
        become(given.user)
    die_with(given.parent, given.death_signal)
    os.execv(given.argv[0], given.argv)


if __name__ == "__main__":
    main()

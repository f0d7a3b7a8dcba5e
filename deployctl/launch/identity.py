"""As whom PostgreSQL runs, since it refuses to be root; starts no server."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deployctl.launch import child
from deployctl.launch.errors import LaunchError
from deployctl.launch.places import Places

UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class Identity:
    """Ourselves, ourselves in a user namespace, or another user."""

    map_user: bool = False
    user: str = ""

    def command(self, argv: list[str], *, death_signal: int) -> list[str]:
        """The argv that runs `argv` with this identity, as our child."""
        return child.command(
            argv, death_signal=death_signal, map_user=self.map_user, user=self.user
        )

    def own(self, places: Places) -> None:
        """Hand the socket folder to the other user, if it is another."""
        if self.user:
            os.chown(places.sockets, pwd.getpwnam(self.user).pw_uid, -1)

    def make_folder(self, folder: Path) -> None:
        """Make a private folder that this identity owns."""
        folder.mkdir(mode=0o700)
        if self.user:
            os.chown(folder, pwd.getpwnam(self.user).pw_uid, -1)


def find_identity(places: Places, binaries: Path) -> Identity:
    """The identity for this process; asks the kernel, not the documentation.

    Raises LaunchError that names DATABASE_URL when root may use none.
    """
    if os.geteuid() != 0:
        return Identity()
    program = [str(binaries / "postgres"), "--version"]
    namespace = Identity(map_user=True)
    others = [Identity(user=name) for name in UNPRIVILEGED if _exists(name)]
    # A cluster goes on as it was made: its files belong to somebody.
    owner = places.cluster.stat().st_uid if places.cluster.exists() else None
    for identity in (namespace, *others):
        uid = pwd.getpwnam(identity.user).pw_uid if identity.user else 0
        if owner in (None, uid) and _may(identity, program, places):
            return identity
    raise LaunchError(
        "PostgreSQL refuses to run as root, and this machine lets root neither make a"
        f" user namespace nor use {places.data} and {binaries} as an unprivileged user."
        " Start as an ordinary user, set DATA_DIR to a folder that others may enter, or"
        " set DATABASE_URL to a server that runs elsewhere."
    )


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _may(identity: Identity, program: list[str], places: Places) -> bool:
    """Whether it can run the program and enter DATA_DIR."""
    reach = ["/usr/bin/env", "--chdir", str(places.data), *program]
    done = subprocess.run(
        identity.command(reach, death_signal=9), capture_output=True, check=False
    )
    return done.returncode == 0

"""`manage.py completion`: prints a script by which a shell completes our commands."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import Error as DatabaseError

from deployctl.management.base import OurCommand
from deployctl.management.terminal.words import words

#: It completes `manage.py`, and `deployctl`, if somebody has an alias of that name.
#: Words are never put through the shell's own expansion, as `compgen -W` would.
SCRIPTS = {
    "bash": """
_deployctl() {{
    local line=${{COMP_LINE:0:COMP_POINT}}
    local word=${{line##* }} head=
    mapfile -t COMPREPLY < <({ask} --words "$line" 2>/dev/null)
    # What stands before the last of these is on the line already, to bash.
    if [[ $word == *[:=@]* ]]; then
        head=${{word%"${{word##*[:=@]}}"}}
        COMPREPLY=("${{COMPREPLY[@]#"$head"}}")
    fi
    if [[ ${{#COMPREPLY[@]}} == 1 && ${{COMPREPLY[0]}} == *= ]]; then
        compopt -o nospace 2>/dev/null
    fi
}}
complete -F _deployctl manage.py deployctl
""",
    "zsh": """
_deployctl() {{
    local -a found
    found=(${{(f)"$({ask} --words "$LBUFFER" 2>/dev/null)"}})
    compadd -Q -S '' -a found
}}
compdef _deployctl manage.py deployctl
""",
    "fish": """
function __deployctl_words
    {ask} --words (commandline -cp | string collect) 2>/dev/null
end
complete -c manage.py -c deployctl -f -a '(__deployctl_words)'
""",
}


class Command(OurCommand):
    """Completion of commands, options, applications, environments and versions."""

    help = "Print a script for bash, zsh or fish that completes what is typed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the shell; what the script itself asks is not told."""
        parser.add_argument("shell", nargs="?", choices=sorted(SCRIPTS))
        parser.add_argument("--words", metavar="LINE", help="what may follow this line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the script, or the words."""
        if options["words"] is not None:
            lines = "".join(f"{each}\n" for each in found(options["words"]))
            self.stdout.write(lines, ending="")
        elif options["shell"]:
            manage = Path(settings.BASE_DIR) / "manage.py"
            ask = shlex.join([sys.executable, str(manage), "completion"])
            self.stdout.write(SCRIPTS[options["shell"]].format(ask=ask).strip())
        else:
            raise CommandError(f"Say for which shell: {', '.join(sorted(SCRIPTS))}.")


def found(line: str) -> list[str]:
    """Return the words; none when the database has no answer: nobody would see it."""
    try:
        return words(line)
    except (DatabaseError, ValueError):
        return []

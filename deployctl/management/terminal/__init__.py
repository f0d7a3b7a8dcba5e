"""What the commands that a person types share: words, lines, exit codes.

It reads and asks services, and refuses to know a rule of a rollout.
"""

from __future__ import annotations

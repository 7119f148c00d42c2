"""Making a server's storage, once, before its first start: by a program that the server brings."""

import os
import subprocess
from collections.abc import Sequence
from typing import Any

from lakeproof.errors import TerminalError

# The time limit of one step. The supervisor gives a `prepare` 250 s, and a `prepare` runs two steps at most. From a
# cold disk MariaDB's first step took over 50 s.
SECONDS = 120.0
# Variables that a step keeps of our environment. By the run id the supervisor finds what a `prepare` left running.
_KEPT = ("LAKEPROOF_RUN_ID",)


def run(argv: Sequence[str], *, text: str = "", where: str = "", **options: Any) -> None:
    """Run one step: the program `argv`, with `text` as its standard input. Secrets go in by `text`, never by argv.
    The program gets a small environment: ours holds the stack's settings, and passwords may be among them.

    `options` go to subprocess.run. `where` names the step in the error, where it says more than the program's name.
    Raises: TerminalError with what the program said.
    """
    small = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    small |= {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        done = subprocess.run(
            argv,
            input=text,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd="/",
            env=small,
            **options,
        )
    except subprocess.TimeoutExpired as error:
        raise TerminalError(f"no end after {SECONDS:.0f} s", where=where or argv[0]) from error
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        problems = [line for line in said if "error" in line.lower()] or said
        raise TerminalError(
            f"ended with code {done.returncode}: {' | '.join(problems[-5:])}",
            where=where or argv[0],
            next_action="free disk space or mend what it names, then start again",
        )

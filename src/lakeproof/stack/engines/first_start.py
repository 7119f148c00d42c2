"""Making a server's storage, once, before its first start: by a program that the server brings."""

import os
import subprocess
from collections.abc import Sequence
from typing import Any

from lakeproof.errors import TerminalError

# The supervisor gives a `prepare` 250 s, in which it runs two of them at most. From a cold disk MariaDB's first one
# took over 50 s.
SECONDS = 120.0
# By it the supervisor finds what a `prepare` of its own left running.
_KEPT = ("LAKEPROOF_RUN_ID",)


def run(argv: Sequence[str], *, text: str = "", where: str = "", **options: Any) -> None:
    """Run one step. Secrets go in by `text`, its standard input, never by argv. `options`: as subprocess has them.
    Its environment is a small one of its own: ours holds the stack's settings, and passwords may be among them.

    Raises: TerminalError with what it said; its `where` is the program, unless another name says more.
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

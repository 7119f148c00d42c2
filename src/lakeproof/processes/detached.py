"""A process beside the components that outlives the command which started it: that of a fault, or of a CPU limit.

Such a process is found by a mark in its environment, never by a pid file. So a crash can never leave a process that
nobody knows of, and a pid that is used again is never mistaken for the process.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.processes import procfs
from lakeproof.processes.environment import HANDED_ON, settings_environment
from lakeproof.processes.signalling import send
from lakeproof.stack.stack import Stack

MARK = "DETACHED_PROCESS"
START_SECONDS = 20.0
END_SECONDS = 5.0


def _key(stack: Stack, name: str) -> str:
    return f"{name} {stack.state_dir}"


def find(stack: Stack, name: str) -> list[procfs.ProcessId]:
    """The living processes of that name which belong to this stack."""
    key = _key(stack, name)
    return [stat.id for stat in procfs.with_environment(lambda found: found.get(MARK) == key)]


def start(stack: Stack, name: str, module: str, *arguments: str) -> None:
    """Start `python -m module arguments`, which must call `detach` when it is ready. Does nothing where it runs.

    Raises: TerminalError with the program's output.
    """
    if find(stack, name):
        return
    argv = (sys.executable, "-m", module, *arguments)
    launch(stack, argv, {MARK: _key(stack, name)}, START_SECONDS, name)


def launch(stack: Stack, argv: Sequence[str], marks: Mapping[str, str], seconds: float, where: str) -> None:
    """Run a program of ours that detaches and goes on by itself; return when it has detached.

    Of the LAKEPROOF_ variables its environment has this stack's settings, HANDED_ON and `marks`, no others of the
    caller. Raises: TerminalError with the program's output, or where it did not detach within `seconds`.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LAKEPROOF_")}
    environment |= {name: value for name, value in os.environ.items() if name in HANDED_ON}
    environment |= settings_environment(stack) | dict(marks)
    try:
        ended = subprocess.run(
            argv,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TerminalError(f"did not answer within {seconds:.0f} s", where=where) from error
    if ended.returncode != 0:
        raise TerminalError(f"did not start: {ended.stdout.decode(errors='replace').strip()}", where=where)


def detach() -> None:
    """Go on in a child with a session of its own. This process ends with 0, which tells `launch` that all is well."""
    if os.fork():
        os._exit(0)
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def end(stack: Stack, name: str) -> int:
    """End the processes of that name: SIGTERM, then SIGKILL. Gives how many there were. Raises: DeadlineExpired."""
    found = find(stack, name)
    send(signal.SIGTERM, found)
    polite = Deadline(END_SECONDS)
    while procfs.alive_among(found) and not polite.expired:
        polite.pause(0.02)
    send(signal.SIGKILL, procfs.alive_among(found))
    Deadline(END_SECONDS).wait_for(
        f"the end of {name}", lambda: None if procfs.alive_among(found) else True, every=0.02
    )
    return len(found)

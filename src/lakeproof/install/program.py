"""Runs the programs that set-up calls (mvn, go, pip, javac): output to a log, ended with us, stoppable."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError

PROGRAM_SECONDS = 3600.0
_TAIL_LINES = 12


class ProgramFailed(TerminalError):
    """A program ended with an error; `output` is the end of what it said."""

    def __init__(self, program: str, code: int, output: str, log: Path) -> None:
        self.output = output
        super().__init__(
            f"{program} ended with code {code}: {output}",
            next_action=f"the whole output is in {log}; then run the same set-up again",
        )


def run(
    command: Sequence[str | Path],
    *,
    log: Path,
    stop: threading.Event,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end, and give what it printed (also appended to `log`).

    The program gets a process group of its own, which is killed when `stop` is set, after an hour, and by the
    kernel when we are killed. `env` is added to our own environment.
    Raises: ProgramFailed; TerminalError where `stop` is set.
    """
    deadline = Deadline(PROGRAM_SECONDS)
    name = Path(str(command[0])).name
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        sink.write(f"\n$ {' '.join(str(part) for part in command)}\n".encode())
        sink.flush()
        start = sink.tell()
        process = subprocess.Popen(
            [*die_with_us(), *(str(part) for part in command)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        try:
            code = _wait(process, stop, deadline)
        finally:
            _kill_group(process)
    if stop.is_set():
        raise TerminalError(f"{name} was stopped", next_action="run the same set-up again")
    with log.open("rb") as source:
        source.seek(start)
        output = source.read().decode(errors="replace")
    if code is None:
        raise ProgramFailed(name, -1, f"no end after {deadline.seconds:.0f} s", log)
    if code != 0:
        raise ProgramFailed(name, code, _telling_lines(output), log)
    return output


def _wait(process: subprocess.Popen[bytes], stop: threading.Event, deadline: Deadline) -> int | None:
    while not stop.is_set() and not deadline.expired:
        try:
            return process.wait(timeout=min(0.2, max(0.01, deadline.left)))
        except subprocess.TimeoutExpired:
            continue
    return None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def die_with_us() -> list[str]:
    """A prefix by which the kernel kills the program when we die, even by kill -9."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _telling_lines(output: str) -> str:
    """The lines that say what went wrong: Maven's [ERROR] lines, else the last ones."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or "error:" in line.lower()]
    return " | ".join(errors[:_TAIL_LINES] or lines[-_TAIL_LINES:]) or "it said nothing"

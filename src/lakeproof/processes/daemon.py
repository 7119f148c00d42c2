"""The supervisor: one daemon per stack, which starts, watches, restarts and stops the stack's components.

`python -m lakeproof.processes.daemon` checks, forks, and ends with 0 once the daemon answers on its socket.
When the daemon ends, the kernel ends its children (wrapper.py); `down` or the next `up` sweeps what is left.
"""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from lakeproof.errors import LakeproofError, PortTaken, TerminalError
from lakeproof.processes import metrics, orphans, ports
from lakeproof.processes.environment import RUN_ID
from lakeproof.processes.hooks import HOOK_ARGV
from lakeproof.processes.kept_stack import LOG_NAME, KeptStack
from lakeproof.processes.lock import daemon_lock
from lakeproof.processes.pace import Pace
from lakeproof.processes.runtime import Runtime
from lakeproof.processes.server import Server
from lakeproof.stack.component import Component
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack, load_stack

LAST_WORDS_SECONDS = 2.0
OPEN_FILES = 65536

log = logging.getLogger(__name__)


class Daemon:
    """One stack's supervisor over a table of components (the project's own, unless tests bring theirs).

    `hook_argv` runs a hook when COMPONENT and HOOK are added; it must know the same table.
    """

    def __init__(
        self,
        stack: Stack,
        components: Mapping[str, Component],
        hook_argv: Sequence[str] = HOOK_ARGV,
        pace: Pace | None = None,
    ) -> None:
        self.stack = stack
        self.components = components
        self.runtime = Runtime(stack)
        given = os.environ.get(RUN_ID, "")
        self.run_id = given if self.runtime.owns(given) else self.runtime.new_run_id()
        self._hook_argv = hook_argv
        self._pace = pace or Pace()

    def run(self) -> int:
        """Fork, detach, serve until told to stop. In the caller: gives 0 once the daemon answers.

        Raises, in the caller: DaemonRuns, PortTaken, TerminalError with what the daemon said.
        """
        _check_writable(self.stack)
        read_end, write_end = os.pipe()
        child = os.fork()
        if child:
            os.close(write_end)
            with os.fdopen(read_end) as pipe:
                said = pipe.read()
            os.waitpid(child, 0)
            if said != "ready":
                raise TerminalError(
                    said or "it ended without a word",
                    where="supervisor",
                    next_action=f"see {self.stack.log_path(LOG_NAME)}",
                )
            return 0
        os.close(read_end)
        caller = os.fdopen(write_end, "w", encoding="utf-8")
        os.setsid()
        if os.fork():
            os._exit(0)
        code = 1
        try:
            self._detach()
            asyncio.run(self._main(caller))
            code = 0
        except LakeproofError as error:
            _tell(caller, error.message)
        except BaseException as error:
            log.exception("the supervisor ends")
            _tell(caller, f"{type(error).__name__}: {error}")
        # Not a return: threads that still ask a component something would hold up the end.
        os._exit(code)

    def _detach(self) -> None:
        """Leave the caller's folder, terminal, streams and file limits behind."""
        os.chdir("/")
        path = self.stack.log_path(LOG_NAME)
        output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        null = os.open(os.devnull, os.O_RDONLY)
        sys.stdout.flush()
        sys.stderr.flush()
        for source, target in ((null, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        logging.basicConfig(
            level=os.environ.get("LOG_LEVEL", "INFO").upper(),
            format="%(asctime)s %(levelname)s %(name)s %(message)s",
            stream=sys.stderr,
            force=True,
        )
        logging.Formatter.converter = time.gmtime  # UTC, as in the logs of the components
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        soft = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        # A component's `prepare` runs programs that inherit the run id, so that a sweep finds these too.
        os.environ[RUN_ID] = self.run_id

    async def _main(self, caller: TextIO) -> None:
        with daemon_lock(self.runtime, self.run_id):
            orphans.become_subreaper()
            kept = KeptStack(self.stack, self.components, self.run_id, self._hook_argv, self._pace)
            self._serve_metrics(kept)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, kept.end)
            loop.add_signal_handler(signal.SIGHUP, lambda: None)
            kept.watch()
            server = Server(kept)
            async with await server.listen(self.runtime.socket):
                _tell(caller, "ready")
                log.info("supervisor of stack %s runs, run id %s", self.stack.name, self.run_id)
                await kept.over.wait()
                await kept.stop()
                await server.finish(LAST_WORDS_SECONDS)
        log.info("supervisor of stack %s has ended", self.stack.name)

    def _serve_metrics(self, kept: KeptStack) -> None:
        host, port = self.stack.settings.host, ports.METRICS_PORT + self.stack.settings.port_shift
        try:
            metrics.serve(lambda: kept.newest_rows, self.components, host, port)
        except OSError as error:
            raise PortTaken(port, "supervisor", ports.holder_of(port)) from error


def _tell(caller: TextIO, text: str) -> None:
    """Write to the caller that waits, once. Later nobody waits, and another file has the pipe's number."""
    with contextlib.suppress(OSError):
        if not caller.closed:
            with caller:
                caller.write(text)


def _check_writable(stack: Stack) -> None:
    """Make the state directory and write a byte. Raises: TerminalError saying what is wrong with it."""
    probe = stack.state_dir / f".write-probe-{os.getpid()}"
    try:
        stack.log_path(LOG_NAME).parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        with contextlib.suppress(OSError):
            probe.unlink()
        raise TerminalError(
            f"cannot write there: {error.strerror}",
            where=str(stack.state_dir),
            next_action="free space, mend its permissions, or set LAKEPROOF_STATE_DIR",
        ) from error


def main() -> int:
    """The entry point: this machine's settings, the project's components."""
    try:
        return Daemon(load_stack(), all_components()).run()
    except LakeproofError as error:
        sys.stderr.write(f"{error.message}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())

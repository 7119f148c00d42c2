"""Checkpoints of a source's job that are asked for, beside those of its own interval."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lakeproof.errors import LakeproofError
from lakeproof.held_file import HeldByAnother, hold
from lakeproof.lake.job.flink_rest import FlinkRest
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack

# How long `nobody_asks` waits for the turn: an asker holds it for as long as one call of Flink's REST may take.
ASKED_SECONDS = 6.0
# Besides Flink's own errors: something else may answer at its address, and a full disk has no room for the turn.
_TROUBLES = (LakeproofError, LookupError, TypeError, ValueError, OSError)


@contextmanager
def nobody_asks(stack: Stack, source: Source) -> Iterator[None]:
    """No process of this stack asks for a checkpoint during the block, in which the job is stopped with a savepoint.

    A checkpoint that came after the savepoint would have the number that the next job begins with.
    """
    with ExitStack() as held:
        # The job is stopped without the turn, too: on a full disk, or where another process stops it meanwhile.
        with suppress(HeldByAnother, OSError):
            me = f"process {os.getpid()}, which stops {source.job}"
            held.enter_context(hold(_turn(stack, source), me, ASKED_SECONDS, every=0.02))
        yield


def _turn(stack: Stack, source: Source) -> Path:
    return stack.data_dir("flink-jobmanager") / f"{source.name}-checkpoint.lock"


@dataclass
class Asking:
    """Asks the job for checkpoints, one at a time: Flink would put off further ones and then run them in a row.

    trouble: why the last checkpoint was not begun, or failed; "" where it went well. begun: how many were begun.
    """

    stack: Stack
    flink: FlinkRest
    source: Source
    trouble: str = ""
    begun: int = 0
    _request: tuple[str, str] | None = None

    def ask(self) -> None:
        """Ask for a checkpoint, unless the one before still runs, or is seen only now to have failed (`trouble`)."""
        before = self._request is not None
        if self.is_running() or (before and self.trouble):
            return
        try:
            running = (job for job in self.flink.jobs() if job.name == self.source.job and job.state == "RUNNING")
            job = next(running, None)
            if job is None:
                self.trouble = f"{self.source.job} does not run"
            elif not job.is_whole:  # it would count as a failed checkpoint
                self.trouble = f"tasks of {self.source.job} are still starting"
            else:
                with hold(_turn(self.stack, self.source), f"process {os.getpid()}, which asks for a checkpoint"):
                    self._request = (job.id, self.flink.checkpoint(job.id))
                self.trouble = ""
                self.begun += 1
        except HeldByAnother as held:
            self.trouble = f"not asked for beside {held.holder}"
        except _TROUBLES as error:
            self.trouble = f"no checkpoint: {_told(error)}"

    def is_running(self) -> bool:
        """Whether the checkpoint asked for last is still being made. One that Flink does not tell of has failed."""
        try:
            if self._request is not None and not self.flink.checkpoint_ended(*self._request):
                return True
        except _TROUBLES as error:
            self.trouble = f"no checkpoint: {_told(error)}"
        self._request = None
        return False


def _told(error: Exception) -> str:
    return error.what if isinstance(error, LakeproofError) else f"{type(error).__name__}: {error}"

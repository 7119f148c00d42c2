"""Checkpoints of a source's job that are asked for, beside those of its own interval."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lakeproof.errors import LakeproofError
from lakeproof.held_file import HeldByAnother, hold, holder_of
from lakeproof.lake.job.flink_rest import FlinkRest
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack


@contextmanager
def nobody_asks(stack: Stack, source: Source) -> Iterator[None]:
    """No process of this stack asks for a checkpoint during the block, in which the job is stopped with a savepoint.

    A checkpoint that came after the savepoint would have the number that the next job begins with.
    """
    with ExitStack() as held:
        # Somebody else who stops the job meanwhile holds it as well; Flink makes one savepoint of the two.
        with suppress(HeldByAnother):
            held.enter_context(hold(_stopping(stack, source), f"process {os.getpid()}", 1.0, every=0.02))
        yield


def _stopping(stack: Stack, source: Source) -> Path:
    return stack.data_dir("flink-jobmanager") / f"{source.name}-stopping.lock"


@dataclass
class Asking:
    """Asks the job for checkpoints, one at a time: Flink would put off further ones and then run them in a row.

    trouble: why the last one was not begun, or failed; "" where it went well. begun: how many were.
    """

    stack: Stack
    flink: FlinkRest
    source: Source
    trouble: str = ""
    begun: int = 0
    _request: tuple[str, str] | None = None

    def ask(self) -> None:
        """Ask for one, unless the one before still runs, or is seen only now to have failed (`trouble`)."""
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
            elif holder_of(_stopping(self.stack, self.source)) is not None:
                self.trouble = f"{self.source.job} is being stopped"
            else:
                self._request = (job.id, self.flink.checkpoint(job.id))
                self.trouble = ""
                self.begun += 1
        except LakeproofError as error:
            self.trouble = f"no checkpoint: {error.what}"

    def is_running(self) -> bool:
        """Whether the one that was asked for last is still being made; a JobManager that does not tell makes none."""
        try:
            if self._request is not None and not self.flink.checkpoint_ended(*self._request):
                return True
        except LakeproofError as error:
            self.trouble = f"no checkpoint: {error.what}"
        self._request = None
        return False

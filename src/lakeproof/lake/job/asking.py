"""Checkpoints of a source's job that are asked for, beside those of its own interval."""

from dataclasses import dataclass

from lakeproof.errors import LakeproofError
from lakeproof.lake.job.flink_rest import ALIVE, FlinkRest
from lakeproof.lake.sources.source import Source


@dataclass
class Asking:
    """Asks the job for checkpoints, one at a time: Flink would put off further ones and then run them in a row.

    trouble: why the last one was not begun, or failed; "" where it went well.
    """

    flink: FlinkRest
    source: Source
    trouble: str = ""
    _request: tuple[str, str] | None = None

    def ask(self) -> None:
        """Ask for one, unless the one before still runs, or is seen only now to have failed (`trouble`)."""
        began = self._request is not None
        if self.is_running() or (began and self.trouble):
            return
        try:
            job = next((job for job in self.flink.jobs() if job.name == self.source.job and job.state in ALIVE), None)
            if job is None:
                self.trouble = f"{self.source.job} does not run"
                return
            self._request = (job.id, self.flink.checkpoint(job.id))
            self.trouble = ""
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

"""Faults of the object store that several scenarios share."""

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired, TerminalError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.job.states import complete_states
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.flink import MANY_FAILURES, job_failures
from lakeproof.probes.object_store import READ_ONLY, WRITABLE, writes_in_words
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.minio import read_only_mark
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

STORE = "minio"

LOOK_SECONDS = 2.0

BACK_SECONDS = 30.0

CHECKPOINT_SECONDS = 30.0

FAILS_SECONDS = 15.0

TRIES = 3


class ReadOnlyStore(Fault):
    """Have the object store refuse every write.

    The object store came back read-only after its process had died: it answers, and refuses every write.

    What a job of the lake makes of this depends on the moment. While no checkpoint is under way nothing fails: the
    JobManager cannot make the next checkpoint's folder, so none begins, and the tables are not written. Where the
    store dies just after a checkpoint, the tables' commits of that checkpoint are cut off, and the job fails at them
    again after each restart (decision 0022).

    `amid_commit`: the store dies in the middle of the commits of the order database's tables.
    """

    amid_commit: bool = False

    def inject(self, stack: Stack) -> None:
        """Have the store start read-only from now on, and kill its process unless it is read-only already.

        Raises: TerminalError where the commits were over each time, before the store died.
        """
        client = our_processes(stack, f"kill {STORE}")
        if writes_in_words(stack, LOOK_SECONDS) == READ_ONLY:
            write_file(read_only_mark(stack), "")
            return
        for _ in range(TRIES):
            if self.amid_commit:
                _await_checkpoint(stack)
            write_file(read_only_mark(stack), "")
            client.kill(STORE)
            if not self.amid_commit or _job_fails(stack):
                return
            self.remove(stack)
        raise TerminalError(f"the commits were over {TRIES} times", where=OLTP.job, next_action="try it again")

    def remove(self, stack: Stack) -> None:
        """Have the store start as usual from now on, and kill its process if it is read-only; a store without a
        process is started. Returns once it takes writes. Raises: LakeproofError.
        """
        read_only_mark(stack).unlink(missing_ok=True)
        client = SupervisorClient(stack)
        if not client.running():
            return
        if client.row(STORE).pid is None:
            client.start(STORE)  # somebody stopped the store, and it would stay so
        elif writes_in_words(stack, LOOK_SECONDS) == READ_ONLY:
            client.kill(STORE, counted=False)
        Deadline(BACK_SECONDS).wait_for(
            f"{STORE} to take writes",
            lambda: True if writes_in_words(stack, LOOK_SECONDS) == WRITABLE else None,
            every=0.5,
        )

    def sign(self, stack: Stack) -> Sign:
        """The store refuses an object of our own."""
        seen = writes_in_words(stack, LOOK_SECONDS)
        return Sign(seen == READ_ONLY, f"{STORE}: {seen}")


def _await_checkpoint(stack: Stack) -> None:
    """Wait until the next checkpoint of the job is complete: then its tables begin to commit."""
    s3 = s3_client(stack)
    before = max((state.checkpoint for state in complete_states(s3, OLTP)), default=0)
    Deadline(CHECKPOINT_SECONDS).wait_for(
        f"the next checkpoint of {OLTP.job}",
        lambda: True if max((state.checkpoint for state in complete_states(s3, OLTP)), default=0) > before else None,
        every=0.02,
    )


def _job_fails(stack: Stack) -> bool:
    def look() -> bool | None:
        return int(job_failures(stack, LOOK_SECONDS, OLTP) or 0) >= MANY_FAILURES or None

    try:
        return Deadline(FAILS_SECONDS).wait_for(f"{OLTP.job} to fail again", look, every=0.5, unseen_is_not_yet=True)
    except DeadlineExpired:
        return False

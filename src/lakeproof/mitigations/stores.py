"""Repairs of the object store."""

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired, TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.object_store import FULL, WRITABLE, writes
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.minio import read_only_mark
from lakeproof.stack.stack import Stack

STORE = "minio"

LOOK_SECONDS = 2.0

WRITABLE_SECONDS = 10.0


class MakeStoreWritable(Mitigation):
    """Have the object store take writes again."""

    def typed(self, stack: Stack) -> str:
        """The same by hand."""
        return f"rm {read_only_mark(stack)}; lakeproof stop {STORE}; lakeproof start {STORE}"

    def run(self, stack: Stack) -> str:
        """Do nothing where the store takes writes. One without a process is started: a run of this may have been cut
        off.

        Raises: TerminalError where the store is full, or was not seen to take writes after a restart (a file system
        that is mounted read-only): then a person has to look.
        """
        client = our_processes(stack, f"restart {STORE}")
        marked = read_only_mark(stack).exists()
        seen = writes(stack, LOOK_SECONDS) if client.row(STORE).pid is not None else "no process"
        if not marked and seen == WRITABLE:
            return f"{STORE} takes writes already"
        if seen == FULL:
            raise TerminalError(
                "it is full",
                where=STORE,
                next_action="lakeproof mitigate INCIDENT --action offload_bucket --arg folder=/ON/ANOTHER/DISK, or "
                "free space on its disk; a restart frees none",
            )
        read_only_mark(stack).unlink(missing_ok=True)
        client.restart(STORE)

        def look() -> bool | None:
            nonlocal seen
            seen = writes(stack, LOOK_SECONDS)
            return True if seen == WRITABLE else None

        try:
            Deadline(WRITABLE_SECONDS).wait_for(
                f"{STORE} to take writes", look, every=0.5, seen=lambda: str(seen), unseen_is_not_yet=True
            )
        except DeadlineExpired as error:
            raise TerminalError(
                f"it was not seen to take writes: {error.last_seen}",
                where=STORE,
                next_action="look at its disk: free bytes, and how it is mounted",
            ) from error
        return f"{STORE} takes writes again" + (", the mark that made it start read-only is gone" if marked else "")

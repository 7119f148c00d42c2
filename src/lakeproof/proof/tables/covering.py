"""Which published state covers a moment: everything that was acknowledged before the moment must be in that state."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.lake.job.asking import Asking
from lakeproof.lake.job.flink_rest import can_be_asked, rest_of
from lakeproof.lake.job.spec import ASKED_EVERY_SECONDS
from lakeproof.lake.publish import history
from lakeproof.lake.publish.beats_ahead import BeatsAhead
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.sources.source import Source
from lakeproof.ledger.calls import now_us
from lakeproof.processes.supervisor import Supervisor
from lakeproof.proof.notes import Notes
from lakeproof.proof.tables.states import begins
from lakeproof.stack.stack import Stack

# The jobs are asked for a checkpoint only after this time. By then a heartbeat newer than the wait's beginning has
# come through the topic, while the job's next checkpoint may be seconds away (lake/job/pace.py).
FIRST_ASKED_SECONDS = 1.3
# At most this many checkpoints are asked of each job. If none of them covers the moment, another cause holds the
# state back, and more checkpoints only cost.
MOST_ASKED = 5
FLINK_SECONDS = 3.0


@dataclass(frozen=True)
class Covering:
    """Serves one check. seconds: how long it waits for a state that covers an instant. ahead: heartbeats from before
    the clock was set back. No look of the check believes them, even after the clock has caught up with them.
    """

    stack: Stack
    notes: Notes
    seconds: float
    ahead: BeatsAhead = field(default_factory=BeatsAhead)

    def first(self, instant_us: int, databases: Sequence[Source]) -> PublishedCommit | None:
        """The first published hash that covers the instant for all these databases. Where none does in time: the
        newest hash (None where nothing is published), and the reason is noted. Nessie may be silent meanwhile.
        """
        newest, reason = self._newest_or_why_not(instant_us, databases)
        if reason is not None:
            self.notes.failed("lake", reason)
        return newest

    def awaited(self, instant_us: int, database: Source) -> PublishedCommit:
        """The first published hash that covers the instant for that database. Raises: LakeproofError, OSError where
        none does in time.
        """
        found, reason = self._newest_or_why_not(instant_us, [database])
        if found is None or reason is not None:
            raise reason or CouldNotLook("nothing is published", where="lake")
        return found

    def _newest_or_why_not(
        self, instant_us: int, databases: Sequence[Source]
    ) -> tuple[PublishedCommit | None, LakeproofError | OSError | None]:
        """The newest hash as soon as it covers the instant. When the time is over: the newest hash, and the reason
        why it does not cover it. Meanwhile the jobs of the databases that are late are asked for checkpoints.
        """
        wait, next_asked = Deadline(self.seconds), Deadline(FIRST_ASKED_SECONDS)
        asked: dict[str, Asking] = {}
        latest: PublishedCommit | None = None
        while True:
            silent: LakeproofError | OSError | None = None
            try:
                latest = history.newest(self.stack)
            except history.NothingPublished:
                pass  # a new stack, whose first checkpoint is still to come
            except (LakeproofError, OSError) as error:
                silent = error
            if silent is not None and not _runs(self.stack):
                return latest, CouldNotLook("the stack is not running", where="lake", next_action="lakeproof up")
            all_late = [each for each in databases if not self._covers(latest, each, instant_us)]
            if not all_late:
                return latest, None
            late = all_late[0]
            behind = "nothing is published yet" if latest is None else self._behind(latest.beat_of(late.name))
            if latest is not None and begins(latest, late.name):
                behind = f"{behind}; its tables are being read for the first time"
            if wait.expired:
                trouble = asked[late.name].trouble if late.name in asked else ""
                behind += f"; {trouble}" if trouble else ""
                reason = f"nothing published{late.of} within {self.seconds:.0f} s covers now ({behind})"
                return latest, silent or CouldNotLook(reason, where="lake")
            self.notes.progress(
                f"waiting for the lake to cover now; what the newest hash covers{late.of}: {behind}"
                if silent is None
                else f"waiting for the lake to cover now; nobody tells what is published: {silent}"
            )
            if next_asked.expired and can_be_asked(self.stack):
                next_asked = Deadline(ASKED_EVERY_SECONDS)
                for each in all_late:
                    if each.name not in asked:
                        asked[each.name] = Asking(self.stack, rest_of(self.stack, FLINK_SECONDS), each)
                    if asked[each.name].begun < MOST_ASKED and wait.left > FLINK_SECONDS:
                        asked[each.name].ask()
            wait.pause(0.3)

    def cut(self, beat_us: int | None) -> int:
        """The time before which everything acknowledged must be in the lake. It is 0, which requires nothing, where
        the heartbeat cannot be used; then the reason is noted as unknown.
        """
        if not beat_us:
            said = "lake: this hash shows no heartbeat, so that nothing that was acknowledged would have to be in it"
        elif self.ahead.holds(beat_us, now_us()):
            said = f"lake: its newest heartbeat is of {self._behind(beat_us)}: the clock was set back, or two differ"
        else:
            return beat_us
        if said not in self.notes.unknown:
            self.notes.unknown.append(said)
        return 0

    def _covers(self, latest: PublishedCommit | None, database: Source, instant_us: int) -> bool:
        """While a database's tables are being read for the first time, their state covers nothing: its heartbeat was
        read as a plain row, not as part of a transaction. The first one of a transaction follows within seconds.
        """
        if latest is None or begins(latest, database.name):
            return False
        return self.ahead.covers(latest.beat_of(database.name), instant_us, now_us())

    def _behind(self, beat_us: int | None) -> str:
        if not beat_us:
            return "no heartbeat yet"
        now = now_us()
        if beat_us > now:
            return f"{(beat_us - now) / 1e6:.1f} s ahead"
        was_ahead = " and was ahead of the clock" if self.ahead.holds(beat_us, now) else ""
        return f"{(now - beat_us) / 1e6:.1f} s ago{was_ahead}"


def _runs(stack: Stack) -> bool:
    """False where nobody would start Nessie during the wait: no supervisor of ours runs, and it left no process."""
    supervisor = Supervisor(stack)
    return stack.settings.mode != "local" or supervisor.running() or bool(supervisor.left_over())

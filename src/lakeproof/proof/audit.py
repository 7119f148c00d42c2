"""The minute's audit of what was published since the last one: is every hash whole in itself, by Trino?

An order (a payment, a parcel, a case) may be broken because the source is (a row deleted by hand): then the lake
tells the truth, and `check` finds it. What is broken in the lake and whole in the source is the lake's own fault.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.full_audit import Audited
from lakeproof.lake.sources.source import Source
from lakeproof.proof.tables.by_changes import Changes
from lakeproof.proof.tables.every_hash import MOST_WAITING, EveryHash, Torn, judge, went_back
from lakeproof.proof.tables.order_claims import MOST
from lakeproof.proof.tables.readers import snapshot_of
from lakeproof.proof.tables.states import NOTHING, InState, State, begins, states_of
from lakeproof.proof.tables.whole_claims import CLAIMS, Broken, WholeClaims
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

SECONDS = 30.0
DATABASE_SECONDS = 30.0
SHOWN = 5
# What nobody wrote since it was judged is read again so often, but for no more than a tenth of the time, and sooner
# where that got no answer.
WHOLE_EVERY_SECONDS = 600.0
WHOLE_SHARE = 10
WHOLE_SECONDS = 120.0
WHOLE_AGAIN_SECONDS = 180.0
STATES_KEPT = 100


class Remembered:
    """What one audit of a source keeps for the next one, so that this reads only what changed since (by_changes.py).

    known: the states judged last. newest: the hash that it ended with. whole: when the newest hash is to be read
    whole again. whole_at: when that was last done, UNIX time.
    """

    def __init__(self, stack: Stack) -> None:
        self.changes = Changes(stack)
        self.known: Mapping[State, InState] = NOTHING
        self.newest: PublishedCommit | None = None
        self.whole = Deadline(WHOLE_EVERY_SECONDS)
        self.whole_at: float | None = None

    def before(self, newest: PublishedCommit, source: Source) -> Mapping[State, InState]:
        """The states that are known when an audit begins; none where a table was set back meanwhile."""
        if self.newest is not None and went_back(self.newest, newest, [source.name]):
            return NOTHING
        return self.known

    def keep(self, known: Mapping[State, InState], newest: PublishedCommit) -> None:
        """Keep the newest of these states."""
        self.known, self.newest = dict([*known.items()][-STATES_KEPT:]), newest


class PublishedAudit:
    """The full audit's hook: `audit_published`, with what it remembers of each source from one minute to the next."""

    def __init__(self) -> None:
        self._remembered: dict[str, Remembered] = {}

    def __call__(self, stack: Stack, source: Source, after: str | None) -> Audited:
        """Raises: as `audit_published`."""
        remembered = self._remembered.setdefault(source.name, Remembered(stack))
        judged, whole = remembered.changes.judged, remembered.changes.read_whole
        try:
            return audit_published(stack, source, after, remembered)
        finally:
            judged, whole = remembered.changes.judged - judged, remembered.changes.read_whole - whole
            log.info("states of %s: %d judged by what changed, %d read whole", source.name, judged, whole)


def audit_published(stack: Stack, source: Source, after: str | None, remembered: Remembered | None = None) -> Audited:
    """Judge that source's tables at every hash that moved them and was published after the hash `after`, oldest
    first, and at the newest one in any case.

    after: what the last audit of it gave as `through`, also that of an earlier publisher; None where none is known:
    then all that is still promised to be readable is judged. remembered: None: every state is read whole.
    Raises: CouldNotLook, StatementFailed where Nessie, Trino or the source gave no answer, or where nothing of the
    source is published yet that could be judged.
    """
    newest = history.newest(stack)
    if source.name not in newest.states or begins(newest, source.name):
        raise CouldNotLook(f"the tables of {source.name} are being read for the first time", where="lake")
    if remembered is None:
        following, torn = _judged(stack, source, after, newest)
    else:
        known = remembered.before(newest, source)
        following, torn = _judged(stack, source, after, newest, known, remembered.changes)
        remembered.keep(following.known, newest)
        if remembered.whole.expired and not _told_alike_whole(stack, source, newest, remembered):
            # What was judged by what changed is not to be trusted, from whichever hash on.
            following, torn = _judged(stack, source, after, newest)
            remembered.keep(following.known, newest)
    claims = next(claims for claims in CLAIMS if claims.source is source)
    own = _whole_in_source(stack, claims, torn)
    return Audited(
        finding=_sentence(own) if own else None,
        judged=max(1, following.judged),  # the newest hash was judged in any case
        passed_over=following.not_looked + following.first_read,
        waiting=following.waiting,
        got_on=following.judged > 0,
        through=following.after,
        freezes=newest.hash in own and claims.freezes,
        whole_at=None if remembered is None else remembered.whole_at,
    )


def _judged(
    stack: Stack,
    source: Source,
    after: str | None,
    newest: PublishedCommit,
    known: Mapping[State, InState] = NOTHING,
    changes: Changes | None = None,
) -> tuple[EveryHash, Sequence[Torn]]:
    """Who followed the hashes since, and all that are torn: the newest one, which is judged whether or not it was
    come to, is the last of them. `known` of who followed has all that was judged, the newest hash's state at the end.

    Raises: as `audit_published`, where the newest hash could not be judged.
    """
    deadline, names = Deadline(SECONDS), [source.name]

    def follow(start: str, not_looked: int = 0) -> EveryHash:
        return EveryHash(stack, start, not_looked=not_looked, known=known, databases=names, changes=changes)

    following = follow(after or _start(stack, source))
    try:
        try:
            following.look(deadline)
        except history.NoSuchHash:
            # `main` was set back to before that hash.
            following = follow(_start(stack, source), not_looked=1)
            following.look(deadline)
    except LakeproofError as error:
        # What was judged until then counts; the next audit begins with the hash that could not be.
        log.warning("the full audit of %s could not judge every hash: %s", source.name, error.message)
        following.waiting = max(1, following.waiting)
    broken = dict(following.known)
    at_newest = judge(stack, [newest], broken, names, changes)
    ends = [*states_of(newest, names)]
    following.known = {state: each for state, each in broken.items() if state not in ends} | {
        state: broken[state] for state in ends
    }
    return following, [*(torn for torn in following.torn if torn.commit.hash != newest.hash), *at_newest]


def _told_alike_whole(stack: Stack, source: Source, newest: PublishedCommit, remembered: Remembered) -> bool:
    """Read the newest hash whole: does that tell what is remembered of it? True also where it got no answer."""
    reading, whole = Deadline(WHOLE_SECONDS), dict[State, InState]()
    try:
        judge(stack, [newest], whole, [source.name], seconds=WHOLE_SECONDS)
    except LakeproofError as error:
        log.warning("%s could not be read whole at the newest hash: %s", source.name, error.message)
        remembered.whole = Deadline(WHOLE_AGAIN_SECONDS)
        return True
    remembered.whole = Deadline(max(WHOLE_EVERY_SECONDS, WHOLE_SHARE * reading.elapsed))
    remembered.whole_at = time.time()
    differs = [*(set(each) ^ set(remembered.known.get(state, ())) for state, each in whole.items())]
    if not any(differs):
        return True
    first = next(each for one in differs for each in one)
    log.error(
        "%s at %s: by what changed, and read whole, %s is told otherwise", source.name, newest.hash, first.subject
    )
    return False


def _start(stack: Stack, source: Source) -> str:
    """The newest hash at which the source's tables are no longer promised to be readable; the oldest known one where
    there is none.
    """
    commits = history.log(stack, MOST_WAITING)
    expired = (commit.hash for commit in commits if not commit.is_readable(database=source.name))
    return next(expired, commits[-1].hash)


def _whole_in_source(stack: Stack, claims: WholeClaims, torn: Iterable[Torn]) -> dict[str, list[Broken]]:
    """Hash → what is broken in it, without what the source shows broken just so.

    Raises: CouldNotLook, also where more is broken in the source than is asked for: which of it the answer holds is
    chance, and all else would look whole.
    """
    torn = [*torn]
    if not torn:
        return {}
    with snapshot_of(stack, claims.source, DATABASE_SECONDS) as database:
        rows = database.ask(claims.source_sql(database.schemas))
    if len(rows) >= MOST:
        raise CouldNotLook(f"{MOST} or more are broken in it", where=claims.source.engine)
    also_in_source = {each.subject for each in claims.broken_of(row[1:] for row in rows)}
    return {
        one.commit.hash: broken
        for one in torn
        if (broken := [each for each in one.broken if each.subject not in also_in_source])
    }


def _sentence(own: dict[str, list[Broken]]) -> str:
    """Of the first torn hash, and how many there are."""
    nessie_hash, broken = next(iter(own.items()))
    shown = "; ".join(f"{each.subject}: {each.detail}" for each in broken[:SHOWN])
    count = len({each.subject for each in broken})
    others = f" (and {len(own) - 1} more hashes)" if len(own) > 1 else ""
    return f"{count} broken at {nessie_hash[:16]}{others} and whole in the source: {shown}"

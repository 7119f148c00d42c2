"""The audit that runs each minute: is every hash published since the last audit whole in itself, by Trino?

An order (or a payment, parcel or case) may be broken because it is broken in the source (a row deleted by hand). Then
the lake shows the truth, and `check` finds it. An order that is broken in the lake and whole in the source is the
lake's own fault.
"""

import logging
from collections.abc import Iterable

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.lake.publish import history
from lakeproof.lake.publish.full_audit import Audited
from lakeproof.lake.sources.source import Source
from lakeproof.proof.tables.by_changes import Changes
from lakeproof.proof.tables.every_hash import MOST_WAITING, EveryHash, Torn, judge
from lakeproof.proof.tables.judged_table import MOST
from lakeproof.proof.tables.readers import snapshot_of
from lakeproof.proof.tables.states import InState, State, begins
from lakeproof.proof.tables.whole_claims import CLAIMS, Broken, WholeClaims
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

SECONDS = 30.0
DATABASE_SECONDS = 30.0
SHOWN = 5


class PublishedAudit:
    """The full audit's hook: calls `audit_published`, and keeps the manifests read for the next audit."""

    def __init__(self, stack: Stack) -> None:
        self._changes = Changes(stack)

    def __call__(self, stack: Stack, source: Source, after: str | None) -> Audited:
        """Raises: as `audit_published`."""
        judged, whole = self._changes.judged, self._changes.read_whole
        audited = audit_published(stack, source, after, self._changes)
        judged, whole = self._changes.judged - judged, self._changes.read_whole - whole
        log.info(
            "%s: the newest hash read whole, %d others, and %d judged by what changed", source.name, whole, judged
        )
        return audited


def audit_published(stack: Stack, source: Source, after: str | None, changes: Changes | None = None) -> Audited:
    """Judge the source's tables at the newest hash, reading them whole; then at every other hash that moved them and
    was published after the hash `after`, oldest first.

    after: `through` of the source's last audit, which may be an earlier publisher's. None where no audit is known:
    then all hashes that are still promised to be readable are judged.
    changes: None where the other hashes are to be read whole too.
    Raises: CouldNotLook, StatementFailed where Nessie, Trino or the source gave no answer, or where the source has no
    published state yet that could be judged.
    """
    deadline = Deadline(SECONDS)
    newest = history.newest(stack)
    if source.name not in newest.states or begins(newest, source.name):
        raise CouldNotLook(f"the tables of {source.name} are being read for the first time", where="lake")
    claims = next(claims for claims in CLAIMS if claims.source is source)
    # The source is asked right after the lake: something mended there meanwhile would look like the lake's own fault.
    known: dict[State, InState] = {}
    torn = judge(stack, [newest], known, [source.name])
    own = _whole_in_source(stack, claims, torn)

    def follow(start: str, not_looked: int = 0) -> EveryHash:
        return EveryHash(stack, start, not_looked=not_looked, known=known, databases=[source.name], changes=changes)

    following = follow(after or _start(stack, source))
    try:
        try:
            following.look(deadline)
        except history.NoSuchHash:
            # `main` was set back to a hash before that one.
            following = follow(_start(stack, source), not_looked=1)
            following.look(deadline)
    except LakeproofError as error:
        # Hashes judged until then count; the next audit begins with the hash that could not be judged.
        log.warning("the full audit of %s could not judge every hash: %s", source.name, error.message)
        following.waiting = max(1, following.waiting)
    own |= _whole_in_source(stack, claims, (torn for torn in following.torn if torn.commit.hash != newest.hash))
    return Audited(
        finding=_sentence(own) if own else None,
        judged=max(1, following.judged),  # the newest hash was judged in any case
        passed_over=following.not_looked + following.first_read,
        waiting=following.waiting,
        got_on=following.judged > 0,
        through=following.after,
        of_newest=newest.hash in own,
        freezes=newest.hash in own and claims.freezes,
    )


def _start(stack: Stack, source: Source) -> str:
    """The newest hash at which the source's tables are no longer promised to be readable; where there is none, the
    oldest known hash.
    """
    commits = history.log(stack, MOST_WAITING)
    expired = (commit.hash for commit in commits if not commit.is_readable(database=source.name))
    return next(expired, commits[-1].hash)


def _whole_in_source(stack: Stack, claims: WholeClaims, torn: Iterable[Torn]) -> dict[str, list[Broken]]:
    """Hash → what is broken in it and not in the source.

    Raises: CouldNotLook, also where the source's answer is cut off at MOST rows: then chance decides which broken
    rows it holds, and all others would look whole in the source.
    """
    torn = [*torn]
    if not torn:
        return {}
    with snapshot_of(stack, claims.source, DATABASE_SECONDS) as database:
        rows = database.ask(claims.source_sql(database.schemas))
    if len(rows) >= MOST:
        raise CouldNotLook(f"{MOST} or more are broken in it", where=claims.source.engine)
    also_in_source = {(each.claim, each.subject) for each in claims.broken_of(row[1:] for row in rows)}
    return {
        one.commit.hash: broken
        for one in torn
        if (broken := [each for each in one.broken if (each.claim, each.subject) not in also_in_source])
    }


def _sentence(own: dict[str, list[Broken]]) -> str:
    """What is broken at the first torn hash, and how many other torn hashes there are."""
    nessie_hash, broken = next(iter(own.items()))
    shown = "; ".join(f"{each.subject}: {each.detail}" for each in broken[:SHOWN])
    count = len({each.subject for each in broken})
    others = f" (and {len(own) - 1} more hashes)" if len(own) > 1 else ""
    return f"{count} broken at {nessie_hash[:16]}{others} and whole in the source: {shown}"

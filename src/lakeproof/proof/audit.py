"""The minute's audit of what was published since the last one: is every hash whole in itself, by Trino?

An order (a payment, a parcel, a case) may be broken because the source is (a row deleted by hand): then the lake
tells the truth, and `check` finds it. What is broken in the lake and whole in the source is the lake's own fault.
"""

import logging
from collections.abc import Iterable, Mapping
from itertools import chain

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.full_audit import Audited
from lakeproof.lake.sources.source import FIRST, present
from lakeproof.proof.tables.every_hash import MOST_WAITING, EveryHash, InState, State, Torn, begins, judge
from lakeproof.proof.tables.order_claims import MOST
from lakeproof.proof.tables.readers import snapshot_of
from lakeproof.proof.tables.whole_claims import CLAIMS, Broken
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

SECONDS = 30.0
DATABASE_SECONDS = 30.0
SHOWN = 5
_FREEZE = {claims.source.name for claims in CLAIMS if claims.freezes}


def audit_published(stack: Stack, after: str | None) -> Audited:
    """Judge the newest hash, and then every other one that was published after the hash `after`, oldest first.

    after: what the last audit gave as `through`, also that of an earlier publisher; None where none is known: then
    all that is still promised to be readable is judged.
    Raises: CouldNotLook, StatementFailed where Nessie, Trino or the database gave no answer.
    """
    deadline = Deadline(SECONDS)
    newest = history.newest(stack)
    sources = _Sources(stack)
    # The source is looked at right after: what is mended there meanwhile would look like the lake's own fault.
    known, unread = _judge_newest(stack, newest)
    own = sources.whole_of(_of_newest(newest, known))
    following = EveryHash(stack, after or _start(stack), known=known)
    try:
        try:
            following.look(deadline)
        except history.NoSuchHash:
            # `main` was set back to before that hash.
            following = EveryHash(stack, _start(stack), not_looked=1, known=known)
            following.look(deadline)
    except LakeproofError as error:
        # What was judged until then counts; the next audit begins with the hash that could not be.
        log.warning("the full audit could not judge every hash: %s", error.message)
        unread = True
    own |= sources.whole_of(torn for torn in following.torn if torn.commit.hash != newest.hash)
    # Where a source gave no answer, nobody knows whose fault its torn hashes are: they are judged again.
    through = after if sources.silent and after else following.after
    unread |= bool(sources.silent)
    return Audited(
        finding=_sentence(own) if own else None,
        judged=max(1, following.judged),  # the newest hash was judged in any case
        passed_over=following.not_looked,
        waiting=max(following.waiting, int(unread)),
        got_on=following.judged > 0,
        through=through,
        newest_is_wrong=any(each.database in _FREEZE for each in own.get(newest.hash, ())),
    )


def _start(stack: Stack) -> str:
    """The newest hash that is no longer promised to be readable; the oldest known one where there is none."""
    commits = history.log(stack, MOST_WAITING)
    expired = (commit.hash for commit in commits if not commit.is_readable(database=commit.moved))
    return next(expired, commits[-1].hash)


def _judge_newest(stack: Stack, newest: PublishedCommit) -> tuple[dict[State, InState], bool]:
    """What is broken at the newest hash, by state; and whether nothing is known of a database at it.

    A database that is not captured now stays as it was, whatever becomes of its source.
    Raises: CouldNotLook, StatementFailed where nothing is known of the first source's.
    """
    known: dict[State, InState] = {}
    unread = False
    for source in present(stack):
        try:
            if begins(newest, source.name):
                raise CouldNotLook("its tables are being read for the first time", where=source.name)
            judge(stack, [newest], known, [source.name])
        except LakeproofError as error:
            if source is FIRST:
                raise
            log.warning(
                "the full audit could not judge %s's tables at the newest hash: %s", source.name, error.message
            )
            unread = True
    return known, unread


def _of_newest(newest: PublishedCommit, known: Mapping[State, InState]) -> list[Torn]:
    broken = tuple(chain.from_iterable(known.values()))
    return [Torn(newest, broken)] if broken else []


class _Sources:
    """The sources as they are now, each asked once: is what the lake shows as broken broken there as well?

    silent: those that gave no answer.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._broken: dict[str, set[str]] = {}
        self.silent: set[str] = set()

    def whole_of(self, torn: Iterable[Torn]) -> dict[str, list[Broken]]:
        """Hash → what is broken in it and whole in its source; nothing of a source that gives no answer."""
        return {
            one.commit.hash: broken
            for one in torn
            if (broken := [each for each in one.broken if self._has_whole(each)])
        }

    def _has_whole(self, broken: Broken) -> bool:
        if broken.database not in self._broken and broken.database not in self.silent:
            try:
                self._broken[broken.database] = self._ask(broken.database)
            except CouldNotLook as error:
                log.warning("the full audit could not ask %s: %s", broken.database, error.message)
                self.silent.add(broken.database)
        return broken.database not in self.silent and broken.subject not in self._broken[broken.database]

    def _ask(self, name: str) -> set[str]:
        """Raises: CouldNotLook, also where more is broken there than is asked for."""
        claims = next(claims for claims in CLAIMS if claims.source.name == name)
        with snapshot_of(self._stack, claims.source, DATABASE_SECONDS) as database:
            rows = database.ask(claims.source_sql(database.schemas))
        if len(rows) >= MOST:
            raise CouldNotLook(f"{MOST} or more are broken in it", where=name)
        return {each.subject for each in claims.broken_of(row[1:] for row in rows)}


def _sentence(own: dict[str, list[Broken]]) -> str:
    """Of the first torn hash, and how many there are."""
    nessie_hash, broken = next(iter(own.items()))
    shown = "; ".join(f"{each.subject}: {each.detail}" for each in broken[:SHOWN])
    count = len({each.subject for each in broken})
    others = f" (and {len(own) - 1} more hashes)" if len(own) > 1 else ""
    return f"{count} broken at {nessie_hash[:16]}{others} and whole in the source: {shown}"

"""The whole check: wait for a published hash that covers now, read each engine at one instant, compare the engines
with the ledger and with each other.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from functools import partial

from lakeproof.errors import InvalidInput
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit, author_of
from lakeproof.lake.query import spark
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.query.flink import start_gateway
from lakeproof.lake.sources.source import Source, present
from lakeproof.ledger.calls import CLOCK_ALLOWANCE_SECONDS, now_us
from lakeproof.proof.notes import Notes
from lakeproof.proof.report import CheckReport, ClaimReport, Cut, TableReport
from lakeproof.proof.tables.beside_ledger import BesideLedger, Others
from lakeproof.proof.tables.buckets import Digests, width_for
from lakeproof.proof.tables.canonical import TABLES
from lakeproof.proof.tables.covering import Covering
from lakeproof.proof.tables.ranges import ranges_of
from lakeproof.proof.tables.readers import (
    DATABASE,
    OF_LEDGER,
    SCHEMA,
    Group,
    Reader,
    Rows,
    lake_reader,
    snapshot_of,
)
from lakeproof.proof.tables.states import begins
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.contacts import read_contacts
from lakeproof_shop.customers.ledger import Expectations, read_ledgers
from lakeproof_shop.proof import claims, projected
from lakeproof_shop.proof.comparing import Shown, compare
from lakeproof_shop.proof.order_claims import broken_of

LAKE_ENGINES = ("trino", "flink", "spark")
COVER_SECONDS = 60.0
_LEDGER = "the ledger's"
AS_ASKED = "ledger: what was acknowledged is what was asked for"

type Progress = Callable[[str], None]

# How to start the engines that do not run until somebody asks them.
_STARTS: dict[str, Callable[[Stack, Progress], None]] = {"flink": start_gateway, "spark": spark.start_spark}


def check(
    stack: Stack,
    *,
    at_hash: str | None = None,
    cover_now: bool = True,
    engines: Sequence[str] | None = None,
    cover_seconds: float = COVER_SECONDS,
    progress: Progress = lambda text: None,
) -> CheckReport:
    """Ledger ↔ MariaDB ↔ lake, at one published hash.

    at_hash: the hash to look at; None: the newest.
    cover_now: wait until a hash covers this moment, so that everything acknowledged until now must be in that hash.
    Without it, or with `at_hash`, the hash must hold only what its own heartbeat covers.
    engines: None: those of `usual_engines`. An empty sequence leaves the lake out: the ledger is compared with the
    database and the shop's stores only.
    Raises: InvalidInput for an unknown engine or hash. Everything else that cannot be looked at is in the report's
    `unknown`, and then its outcome is not passed.
    """
    chosen = usual_engines(stack) if engines is None else engines
    for engine in chosen:
        if engine not in LAKE_ENGINES:
            raise InvalidInput(
                f"no engine {engine!r} reads the lake", next_action=f"one of {', '.join(LAKE_ENGINES)}"
            )
    looking = _Check(stack, tuple(dict.fromkeys(chosen)), Notes(progress), cover_seconds)
    return looking.run(at_hash, cover_now)


def usual_engines(stack: Stack) -> tuple[str, ...]:
    """Trino, and the cheapest other engine: Spark where it is up already, else Flink.

    Spark has its own way to read what Trino reads, and reads all tables. Flink's gateway has to be started, and
    starts one job per statement.
    """
    return ("trino", spark.ENGINE if spark.is_up(stack) else "flink")


class _Check:
    """One run."""

    def __init__(self, stack: Stack, engines: tuple[str, ...], notes: Notes, cover_seconds: float) -> None:
        self._stack, self._engines, self._notes = stack, engines, notes
        self._covering = Covering(stack, notes, cover_seconds)

    def run(self, at_hash: str | None, cover_now: bool) -> CheckReport:
        """Look, judge and report. An engine that does not answer is noted, not raised."""
        stack, notes = self._stack, self._notes
        named = None if at_hash is None else history.find(stack, at_hash, readable=True)
        with ThreadPoolExecutor(12) as pool, ExitStack() as until_judged:
            # The shop's stores and the projection are looked at while the lake comes to cover now, and while engines
            # that do not run yet start.
            looking = pool.submit(notes.looked, "shop", lambda: claims.look(stack, notes.progress))
            projecting = pool.submit(
                notes.looked, "projection", lambda: projected.look(stack, self._covering.seconds, notes.progress)
            )
            starting = [
                pool.submit(notes.looked, engine, lambda start=start: start(stack, notes.progress))
                for engine, start in _STARTS.items()
                if engine in self._engines
            ]
            commit = named or (self._commit(cover_now) if self._engines else None)
            if commit is not None and named is None:
                notes.looked("lake", partial(self._note_written_above, commit))
            notes.ended("covered")
            for start in starting:
                start.result()
            notes.ended("started")
            lake_cut_us = self._covering.cut(commit.beat_of(SCHEMA)) if commit is not None else 0
            is_being_read = commit is not None and begins(commit, SCHEMA)
            if is_being_read:
                notes.unknown.append(
                    f"lake: at this hash the tables of {SCHEMA} are being read for the first time, one after the"
                    " other: they are not judged there"
                )
            readers, cuts = self._open_readers(pool, until_judged, commit, lake_cut_us)
            opened_us = now_us()
            notes.ended("opened")
            # The ledger is read after the readers opened. A call's first line is written before the call is sent, so
            # the ledger then knows every call whose rows an engine may show.
            reading = pool.submit(notes.looked, "ledger", lambda: read_ledgers(stack.ledger_dir))
            contacts = notes.looked("contacts' ledger", lambda: read_contacts(stack.ledger_dir))
            width = width_for(self._largest(readers))
            beside = BesideLedger(stack, notes, self._covering, until_judged, commit)
            others = beside.tables(readers, opened_us)
            notes.ended("described")
            judged = {DATABASE} if is_being_read else readers.keys()
            shown, digests = self._look(pool, readers, cuts, width, others, judged)
            notes.ended("digests")
            ledger = reading.result()
            notes.ended("ledger read")
            tables, across = self._judged(ledger, shown, readers, width)
            notes.ended("judged")
            for each in others:
                beside.compare(each, readers, digests[each.database.name])
            notes.ended("other tables")
            shop = looking.result() or claims.ShopReport()
            notes.unknown.extend(shop.unknown)
            notes.ended("shop")
            projection = projecting.result()
            notes.ended("projection")
        expectations = ledger or Expectations({}, 0, 0, 0, ())
        _note_lines_of_the_future("ledger", expectations.later_than_now, notes)
        _note_lines_of_the_future("contacts' ledger", contacts.later_than_now if contacts else 0, notes)
        return CheckReport(
            at=datetime.now(UTC),
            cut=None
            if commit is None
            else _cut(commit, opened_us, expectations.acknowledged_since(lake_cut_us), present(stack)),
            acknowledged=expectations.acknowledged,
            orders=expectations.orders_acknowledged,
            unclear=expectations.unclear + (contacts.unclear if contacts else 0),
            refused=expectations.refused,
            tables=(*tables, *beside.reports, *((projection,) if projection is not None else ())),
            across=(*_ledger_claims(ledger), *across, *beside.agreements, *shop.claims.values()),
            oversold=shop.oversold,
            unknown=tuple(dict.fromkeys(notes.unknown)),
            left_out=tuple(notes.left_out),
            seconds=notes.time.elapsed,
            steps=notes.steps,
        )

    def _commit(self, cover_now: bool) -> PublishedCommit | None:
        """The hash to look at; None, with a reason, where there is none."""
        if not cover_now:
            return self._notes.looked("lake", lambda: history.newest(self._stack))
        # The hash must cover this moment for every captured database: with an older state of PostgreSQL's tables, it
        # would not show what happened to them since.
        return self._covering.first(now_us(), present(self._stack))

    def _note_written_above(self, commit: PublishedCommit) -> None:
        """Note a commit that somebody else wrote on `main` above the published hash: readers of `main` see it, and
        this check, which looks at the hash below, does not. Raises: CouldNotLook.
        """
        theirs = history.written_above(self._stack, commit.hash)
        if theirs is not None:
            self._notes.unknown.append(
                f"lake: main shows {theirs.hash[:16]}, which {author_of(theirs)} wrote above the published hash, and"
                " which is not judged. Next: lakeproof lake rollback"
            )

    def _open_readers(
        self, pool: ThreadPoolExecutor, until_judged: ExitStack, commit: PublishedCommit | None, lake_cut_us: int
    ) -> tuple[dict[str, Reader], dict[str, int]]:
        """Readers of every engine, opened in parallel, each at one instant: the database now, the lake at the hash.
        The second dictionary holds each engine's cut: what was acknowledged before it must be there.
        """
        seconds = self._stack.settings.check.statement_seconds
        contexts: dict[str, AbstractContextManager[Reader]] = {DATABASE: snapshot_of(self._stack, OF_LEDGER, seconds)}
        cuts = {DATABASE: now_us()}
        if commit is not None:
            for engine in self._engines:
                contexts[engine] = lake_reader(self._stack, engine, commit, self._notes.progress)
                cuts[engine] = lake_cut_us
        opening = {
            engine: pool.submit(self._notes.looked, engine, lambda each=context: until_judged.enter_context(each))
            for engine, context in contexts.items()
        }
        return {engine: reader for engine, each in opening.items() if (reader := each.result()) is not None}, cuts

    def _largest(self, readers: dict[str, Reader]) -> int:
        """The largest order id of the first reader that answers. It only sets the buckets' width."""
        for reader in readers.values():
            largest = self._notes.looked(reader.engine, reader.largest)
            if largest is not None:
                return largest
        return 0

    def _look(
        self,
        pool: ThreadPoolExecutor,
        readers: dict[str, Reader],
        cuts: dict[str, int],
        width: int,
        others: Sequence[Others],
        judged: Collection[str],
    ) -> tuple[dict[str, Shown], dict[str, dict[str, Digests]]]:
        """What each engine showed of the ledger's tables; and the digests of other tables, by database and engine.

        judged: the engines that are compared with the ledger. While the lake's tables are being read for the first
        time, that is the database alone: until that ends, orders are in the lake before their items.
        """
        first = next((engine for engine in readers if engine != DATABASE), "")

        def look(reader: Reader) -> tuple[dict[str, Digests], Rows | None]:
            engine = reader.engine
            of_ledger = readers.get(engine) is reader and engine in judged
            groups = {_LEDGER: Group(SCHEMA, TABLES, width)} if of_ledger else {}
            for each in others:
                if each.reader is reader or (engine in self._engines and each.is_asked_of(engine, first)):
                    groups[each.database.name] = each.group
            if not groups:
                return {}, None
            # Only one engine of the lake is asked for the claims: another with the same digests has the same rows.
            judging = pool.submit(reader.broken) if of_ledger and engine == first else None
            digests = self._digests(reader, groups)
            self._notes.ended(f"{engine} digests")
            if judging is not None:
                return digests, judging.result()
            return digests, reader.broken() if of_ledger and engine == DATABASE else None

        # Besides the engines: readers of the other databases, each with a snapshot of its own.
        asked = [*readers.values(), *(each.reader for each in others if each.reader is not readers.get(DATABASE))]
        self._notes.progress(f"digests in {', '.join(reader.engine for reader in asked)}")
        looking = [
            (reader.engine, pool.submit(self._notes.looked, reader.engine, lambda one=reader: look(one)))
            for reader in asked
        ]
        shown: dict[str, Shown] = {}
        of_others: dict[str, dict[str, Digests]] = {each.database.name: {} for each in others}
        for engine, each in looking:
            digests, broken = each.result() or ({}, None)
            for name, found in digests.items():
                if name == _LEDGER:
                    shown[engine] = Shown(cuts[engine], found, None if broken is None else tuple(broken_of(broken)))
                else:
                    of_others[name][engine] = found
        return shown, of_others

    def _digests(self, reader: Reader, groups: Mapping[str, Group]) -> dict[str, Digests]:
        """The digests of these groups, by name. Raises: CouldNotLook, StatementFailed."""
        try:
            return dict(zip(groups, reader.digests_of(list(groups.values())), strict=True))
        except StatementFailed:
            if len(groups) == 1:
                raise
        # A table that this engine cannot read must not hide the others.
        found = {
            name: self._notes.looked(reader.engine, partial(self._digests, reader, {name: group}))
            for name, group in groups.items()
        }
        return {name: digests[name] for name, digests in found.items() if digests is not None}

    def _judged(
        self, ledger: Expectations | None, shown: dict[str, Shown], readers: dict[str, Reader], width: int
    ) -> tuple[list[TableReport], list[ClaimReport]]:
        """Compare the engines with the ledger. Where the ledger could not be read, nothing is judged: every row would
        look like a phantom.
        """
        if ledger is None:
            return [], []

        def open_buckets(engine: str, buckets: set[int]) -> Mapping[str, Rows] | None:
            self._notes.progress(f"{engine}: opening {len(buckets)} buckets that differ")
            return self._notes.looked(engine, lambda: readers[engine].rows(ranges_of(buckets, width)))

        whole = self._stack.settings.ledger_is_whole
        tables, across, unexplained = compare(ledger, shown, width, open_buckets, whole=whole)
        self._notes.unknown.extend(unexplained)
        return tables, across


def _cut(commit: PublishedCommit, opened_us: int, excused: int, captured: Iterable[Source]) -> Cut:
    """The cut for the report. opened_us: a moment at which every reader was open. captured: the stack's sources."""
    state = commit.states[SCHEMA]
    ages = {
        name: None if not other.beat_us else round((opened_us - other.beat_us) / 1e6, 2)
        for name, other in commit.states.items()
        if name == SCHEMA or name in {source.name for source in captured}
    }
    return Cut(commit.hash, state.checkpoint, state.beat_us or None, ages.pop(SCHEMA), excused, ages)


def _ledger_claims(ledger: Expectations | None) -> tuple[ClaimReport, ...]:
    """The claim that the ledger alone decides; none where it could not be read."""
    if ledger is None:
        return ()
    return (ClaimReport(AS_ASKED, ledger.mismatches, ledger.acknowledged, "acknowledged calls"),)


def _note_lines_of_the_future(ledger: str, lines: int, notes: Notes) -> None:
    if lines:
        notes.unknown.append(
            f"{ledger}: {lines} lines are over {CLOCK_ALLOWANCE_SECONDS:g} s later than now: no moment is late enough"
            " to be held against them, so that a loss would not be seen"
        )

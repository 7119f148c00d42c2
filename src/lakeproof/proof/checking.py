"""The whole check: wait for a published hash that covers now, read every engine at one instant each, compare them
with the ledger and with each other.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime

from lakeproof.customers.calls import CLOCK_ALLOWANCE_SECONDS, now_us
from lakeproof.customers.contacts import read_contacts
from lakeproof.customers.ledger import Expectations, read_ledgers
from lakeproof.errors import InvalidInput
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query import spark
from lakeproof.lake.query.flink import start_gateway
from lakeproof.proof import claims
from lakeproof.proof.notes import Notes
from lakeproof.proof.report import CheckReport, ClaimReport, Cut, TableReport
from lakeproof.proof.tables import projected
from lakeproof.proof.tables.beside_ledger import BesideLedger
from lakeproof.proof.tables.buckets import width_for
from lakeproof.proof.tables.comparing import Shown, compare
from lakeproof.proof.tables.covering import Covering, cut
from lakeproof.proof.tables.order_claims import broken_of
from lakeproof.proof.tables.ranges import ranges_of
from lakeproof.proof.tables.readers import DATABASE, ENGINE_SECONDS, Reader, Rows, lake_reader, mariadb_snapshot
from lakeproof.stack.stack import Stack

LAKE_ENGINES = ("trino", "flink", "spark")
COVER_SECONDS = 60.0
AS_ASKED = "ledger: what was acknowledged is what was asked for"

type Progress = Callable[[str], None]

# Engines that do not run until somebody asks them.
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

    at_hash: the hash to look at; None: the newest. cover_now: wait until a hash covers this moment, so that
    everything that was acknowledged until now must be in that hash. Without it, and with `at_hash`, the hash must
    hold only what its own heartbeat covers. engines: None: `usual_engines`; none at all: without the lake, the ledger
    against the database and the shop's stores only.
    Raises: InvalidInput for an unknown engine or hash. Whatever else cannot be looked at is in the report's
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
    """Trino and Flink; Spark too where it is up already: to start it takes longer than the whole check."""
    return tuple(engine for engine in LAKE_ENGINES if engine != spark.ENGINE or spark.is_up(stack))


class _Check:
    """One run."""

    def __init__(self, stack: Stack, engines: tuple[str, ...], notes: Notes, cover_seconds: float) -> None:
        self._stack, self._engines, self._notes = stack, engines, notes
        self._covering = Covering(stack, notes, cover_seconds)

    def run(self, at_hash: str | None, cover_now: bool) -> CheckReport:
        """Never raises for an engine that is away."""
        stack, notes = self._stack, self._notes
        with ThreadPoolExecutor(8) as pool, ExitStack() as until_judged:
            # An engine that does not run yet takes seconds to start. Meanwhile the lake comes to cover now.
            starting = [
                pool.submit(notes.looked, engine, lambda start=start: start(stack, notes.progress))
                for engine, start in _STARTS.items()
                if engine in self._engines
            ]
            commit = self._commit(at_hash, cover_now) if self._engines else None
            for each in starting:
                each.result()
            notes.ended("covered")
            lake_cut_us = cut(commit.beat_us, notes) if commit is not None else 0
            readers, cuts = self._open_readers(pool, until_judged, commit, lake_cut_us)
            opened_us = now_us()
            notes.ended("opened")
            # The ledger is read last: the line of any call that an engine may show was written before the call was
            # sent.
            reading = pool.submit(notes.looked, "ledger", lambda: read_ledgers(stack.ledger_dir))
            contacts = notes.looked("contacts' ledger", lambda: read_contacts(stack.ledger_dir))
            looking = pool.submit(notes.looked, "shop", lambda: claims.look(stack, notes.progress))
            projecting = pool.submit(
                notes.looked, "projection", lambda: projected.look(stack, self._covering.seconds, notes.progress)
            )
            width = width_for(self._largest(readers))
            shown = self._look(pool, readers, cuts, width)
            notes.ended("digests")
            ledger = reading.result()
            notes.ended("ledger read")
            tables, across = self._judged(ledger, shown, readers, width)
            notes.ended("judged")
            beside = BesideLedger(stack, notes, self._covering, until_judged, commit, readers)
            beside.look_at_mariadb(opened_us)
            beside.look_at_postgres()
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
            cut=None if commit is None else _cut(commit, opened_us, expectations.acknowledged_since(lake_cut_us)),
            acknowledged=expectations.acknowledged,
            orders=expectations.orders_acknowledged,
            unclear=expectations.unclear + (contacts.unclear if contacts else 0),
            refused=expectations.refused,
            tables=(*tables, *beside.reports, *((projection,) if projection is not None else ())),
            across=(*_ledger_claims(ledger), *across, *beside.agreements, *shop.claims.values()),
            oversold=shop.oversold,
            unknown=tuple(dict.fromkeys(notes.unknown)),
            seconds=notes.time.elapsed,
            steps=notes.steps,
        )

    def _commit(self, at_hash: str | None, cover_now: bool) -> PublishedCommit | None:
        """The hash to look at; None, with a reason, where there is none."""
        if at_hash is not None:
            return history.find(self._stack, at_hash, readable=True)
        if not cover_now:
            return self._notes.looked("lake", lambda: history.newest(self._stack))
        return self._covering.first(now_us())

    def _open_readers(
        self, pool: ThreadPoolExecutor, until_judged: ExitStack, commit: PublishedCommit | None, lake_cut_us: int
    ) -> tuple[dict[str, Reader], dict[str, int]]:
        """Every engine at one instant: the database now, the lake at the hash; in parallel."""
        contexts: dict[str, AbstractContextManager[Reader]] = {
            DATABASE: mariadb_snapshot(self._stack, ENGINE_SECONDS)
        }
        cuts = {DATABASE: now_us()}
        if commit is not None:
            for engine in self._engines:
                contexts[engine] = lake_reader(self._stack, engine, commit, ENGINE_SECONDS, self._notes.progress)
                cuts[engine] = lake_cut_us
        opening = {
            engine: pool.submit(self._notes.looked, engine, lambda each=context: until_judged.enter_context(each))
            for engine, context in contexts.items()
        }
        return {engine: reader for engine, each in opening.items() if (reader := each.result()) is not None}, cuts

    def _largest(self, readers: dict[str, Reader]) -> int:
        """The largest order id: the database's, or where it is away the lake's. It only sets the buckets' width."""
        for reader in readers.values():
            largest = self._notes.looked(reader.engine, reader.largest)
            if largest is not None:
                return largest
        return 0

    def _look(
        self, pool: ThreadPoolExecutor, readers: dict[str, Reader], cuts: dict[str, int], width: int
    ) -> dict[str, Shown]:
        def look(engine: str, reader: Reader) -> Shown:
            digests = reader.digests(width)
            self._notes.ended(f"{engine} digests")
            # Where another engine has the same digests of the same hash, its rows keep the claims as well.
            asked = engine in (DATABASE, next((each for each in readers if each != DATABASE), ""))
            return Shown(cuts[engine], digests, tuple(broken_of(reader.broken())) if asked else None)

        self._notes.progress(f"digests in {', '.join(readers)}")
        looking: dict[str, Future[Shown | None]] = {
            engine: pool.submit(self._notes.looked, engine, lambda name=engine, one=reader: look(name, one))
            for engine, reader in readers.items()
        }
        return {engine: shown for engine, each in looking.items() if (shown := each.result()) is not None}

    def _judged(
        self, ledger: Expectations | None, shown: dict[str, Shown], readers: dict[str, Reader], width: int
    ) -> tuple[list[TableReport], list[ClaimReport]]:
        """The engines against the ledger. Without a ledger nothing is judged: every row would look like a phantom."""
        if ledger is None:
            return [], []

        def open_buckets(engine: str, buckets: set[int]) -> Mapping[str, Rows] | None:
            self._notes.progress(f"{engine}: opening {len(buckets)} buckets that differ")
            return self._notes.looked(engine, lambda: readers[engine].rows(ranges_of(buckets, width)))

        whole = self._stack.settings.ledger_is_whole
        tables, across, unexplained = compare(ledger, shown, width, open_buckets, whole=whole)
        self._notes.unknown.extend(unexplained)
        return tables, across


def _cut(commit: PublishedCommit, opened_us: int, excused: int) -> Cut:
    """What was looked at. opened_us: a moment at which every reader was open."""
    beat_us = commit.beat_us or None
    age_seconds = None if beat_us is None else round((opened_us - beat_us) / 1e6, 2)
    return Cut(commit.hash, commit.checkpoint, beat_us, age_seconds, excused)


def _ledger_claims(ledger: Expectations | None) -> tuple[ClaimReport, ...]:
    """What the ledger alone shows; nothing where it could not be read."""
    if ledger is None:
        return ()
    return (ClaimReport(AS_ASKED, ledger.mismatches, ledger.acknowledged, "acknowledged calls"),)


def _note_lines_of_the_future(ledger: str, lines: int, notes: Notes) -> None:
    if lines:
        notes.unknown.append(
            f"{ledger}: {lines} lines are over {CLOCK_ALLOWANCE_SECONDS:g} s later than now: no moment is late enough"
            " to be held against them, so that a loss would not be seen"
        )

"""The whole check: wait for a published hash that covers now, read every engine at one instant each, compare."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput, LakeproofError
from lakeproof.lake.capture.connector import schemas_of
from lakeproof.lake.integrity import other_tables, projected
from lakeproof.lake.integrity.across import broken_of
from lakeproof.lake.integrity.buckets import ranges_of, width_for
from lakeproof.lake.integrity.canonical import Table
from lakeproof.lake.integrity.comparing import Shown, compare
from lakeproof.lake.integrity.contents import Contents, contents_of
from lakeproof.lake.integrity.readers import DATABASE, Reader, lake_reader, mariadb_snapshot, postgres_snapshot
from lakeproof.lake.integrity.report import Across, CheckReport, TableReport
from lakeproof.lake.job.databases import OLTP, SHOP, LakeDatabase, present
from lakeproof.lake.publish import history
from lakeproof.lake.publish.history import PublishedCommit
from lakeproof.lake.query import spark
from lakeproof.lake.query.flink import start_gateway
from lakeproof.shop import claims
from lakeproof.shop.calls import now_us
from lakeproof.shop.contacts import read_contacts
from lakeproof.shop.ledger import Expectations, read_ledgers
from lakeproof.stack.stack import Stack

LAKE_ENGINES = ("trino", "flink", "spark")
# Not asked of tables beside the ledger's: its gateway makes a job of each statement, over as many tables again.
DEARLY = frozenset({"flink"})
COVER_SECONDS = 60.0
ENGINE_SECONDS = 90.0

type Progress = Callable[[str], None]

# Engines that the first who asks starts.
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

    at_hash: that one; None: the newest. cover_now: wait until a hash covers this moment, so that all that was
    acknowledged until now must be in it; without it, and with `at_hash`, only what that hash says it covers.
    engines: None: `usual_engines`.
    Raises: InvalidInput for an unknown engine or hash. Whatever else cannot be looked at is in the report's
    `unknown`, and then its outcome is not passed.
    """
    chosen = usual_engines(stack) if engines is None else engines
    for engine in chosen:
        if engine not in LAKE_ENGINES:
            raise InvalidInput(
                f"no engine {engine!r} reads the lake", next_action=f"one of {', '.join(LAKE_ENGINES)}"
            )
    return _Check(stack, tuple(dict.fromkeys(chosen)), progress).run(at_hash, cover_now, cover_seconds)


def usual_engines(stack: Stack) -> tuple[str, ...]:
    """Trino and Flink; Spark too where it is up already: to start it takes longer than the whole check."""
    return tuple(engine for engine in LAKE_ENGINES if engine != spark.ENGINE or spark.is_up(stack))


def covers(beat_us: int | None, instant_us: int, now_us: int) -> bool:
    """Does a published state with that newest beat hold all that was acknowledged before the instant?

    A beat that is still to come was written before the clock was set back, and tells nothing about the instant.
    """
    return beat_us is not None and instant_us <= beat_us <= now_us


def _behind(beat_us: int | None, now_us: int) -> str:
    if beat_us is None:
        return "no heartbeat yet"
    return f"{(now_us - beat_us) / 1e6:.1f} s ago" if beat_us <= now_us else f"{(beat_us - now_us) / 1e6:.1f} s ahead"


class _Check:
    """One run. `unknown` collects what could not be looked at."""

    def __init__(self, stack: Stack, engines: tuple[str, ...], progress: Progress) -> None:
        self._stack, self._engines, self._progress = stack, engines, progress
        self._unknown: list[str] = []
        self._others: list[TableReport] = []
        self._agreements: list[Across] = []
        self._time = Deadline(float("inf"))
        self._steps: dict[str, float] = {}

    def run(self, at_hash: str | None, cover_now: bool, cover_seconds: float) -> CheckReport:
        """Never raises for an engine that is away."""
        with ThreadPoolExecutor(8) as pool, ExitStack() as until_judged:
            # They take seconds where they do not run yet: meanwhile the lake comes to cover now.
            starting = [
                pool.submit(self._try, engine, lambda start=start: start(self._stack, self._progress))
                for engine, start in _STARTS.items()
                if engine in self._engines
            ]
            commit = self._commit(at_hash, cover_now, cover_seconds)
            for each in starting:
                each.result()
            self._note("covered")
            readers, cuts = self._open_readers(pool, until_judged, commit)
            self._note("opened")
            # Only now: the line of any call that an engine may show was written before the call was sent.
            reading = pool.submit(self._try, "ledger", lambda: read_ledgers(self._stack.ledger_dir))
            contacts = self._try("contacts' ledger", lambda: read_contacts(self._stack.ledger_dir))
            looking = pool.submit(self._try, "shop", lambda: claims.look(self._stack, self._progress))
            projecting = pool.submit(
                self._try, "projection", lambda: projected.look(self._stack, cover_seconds, self._progress)
            )
            width = width_for(self._largest(readers))
            shown = self._look(pool, readers, cuts, width)
            self._note("digests")
            ledger = reading.result()
            self._note("ledger read")
            expectations = ledger or Expectations({}, 0, 0, 0, ())

            def open_buckets(engine: str, buckets: set[int]) -> Contents | None:
                self._progress(f"{engine}: opening {len(buckets)} buckets that differ")
                rows = self._try(engine, lambda: readers[engine].rows(ranges_of(buckets, width)))
                return None if rows is None else contents_of(rows)

            # Without the ledger nothing can be judged; every row would look like a phantom.
            whole = self._stack.settings.ledger_is_whole
            judged = (
                compare(expectations, shown, width, open_buckets, whole=whole) if ledger is not None else ([], [])
            )
            self._note("judged")
            self._other_tables(until_judged, commit, readers, cuts[DATABASE], cover_seconds)
            self._shop_tables(until_judged, commit, readers, cover_seconds)
            shop = looking.result() or claims.Findings({}, None)
            self._unknown += shop.unknown
            self._note("shop")
            projection = projecting.result()
            self._note("projection")
        return CheckReport(
            at=datetime.now(UTC),
            nessie_hash=commit.hash if commit else None,
            checkpoint=commit.checkpoint if commit else None,
            covers_us=commit.beat_us if commit else None,
            acknowledged=expectations.acknowledged,
            orders=expectations.orders_acknowledged,
            unclear=expectations.unclear + (contacts.unclear if contacts else 0),
            refused=expectations.refused,
            tables=(*judged[0], *self._others, *((projection,) if projection is not None else ())),
            across=(*judged[1], *self._agreements, *_shop_claims(shop)),
            oversold=shop.oversold,
            unknown=tuple(dict.fromkeys(self._unknown)),
            seconds=self._time.elapsed,
            steps=self._steps,
        )

    def _commit(self, at_hash: str | None, cover_now: bool, cover_seconds: float) -> PublishedCommit | None:
        """The hash to look at; None, with a reason, where there is none."""
        if at_hash is not None:
            return history.find(self._stack, at_hash, readable=True)
        if not cover_now:
            return self._try("lake", lambda: history.newest(self._stack))
        return self._covering(now_us(), cover_seconds)

    def _covering(
        self, instant_us: int, cover_seconds: float, database: LakeDatabase = OLTP
    ) -> PublishedCommit | None:
        """The first published hash that covers the instant of that database; past its time the newest one, with a
        reason.
        """
        latest = self._try("lake", lambda: history.newest(self._stack))
        wait = Deadline(cover_seconds)
        while latest is not None and not covers(latest.beat_of(database.name), instant_us, now_us()):
            behind = _behind(latest.beat_of(database.name), now_us())
            if wait.expired:
                of = "" if database == OLTP else f" of {database.name}"
                self._unknown.append(
                    f"lake: nothing published{of} within {cover_seconds:.0f} s covers now ({behind})"
                )
                break
            self._progress(f"waiting for the lake to cover now; the newest hash covers {behind}")
            wait.pause(0.3)
            latest = self._try("lake", lambda: history.newest(self._stack)) or latest
        return latest

    def _other_tables(
        self,
        until_judged: ExitStack,
        commit: PublishedCommit | None,
        readers: dict[str, Reader],
        database_us: int,
        cover_seconds: float,
    ) -> None:
        """Published tables that no ledger knows, database against lake."""
        lake = next((reader for engine, reader in readers.items() if engine != DATABASE), None)
        names = [] if commit is None else sorted(set(commit.snapshots) - other_tables.KNOWN)
        if not names or lake is None or DATABASE not in readers:
            return
        tables = [table for name in names if (table := self._described(readers[DATABASE], name)) is not None]

        def look_again() -> tuple[Reader, Reader]:
            covering = self._covering(database_us, cover_seconds)
            if covering is None:
                raise CouldNotLook("no published hash to look at again", where="lake")
            enter = until_judged.enter_context
            return (
                enter(mariadb_snapshot(self._stack, ENGINE_SECONDS)),
                enter(lake_reader(self._stack, lake.engine, covering, ENGINE_SECONDS, self._progress)),
            )

        if tables:
            compared = self._try(
                "other tables",
                lambda: other_tables.compare_others(tables, readers[DATABASE], lake, look_again),
            )
            self._keep(compared, tables, readers)
        self._note("other tables")

    def _shop_tables(
        self,
        until_judged: ExitStack,
        commit: PublishedCommit | None,
        readers: dict[str, Reader],
        cover_seconds: float,
    ) -> None:
        """PostgreSQL's captured tables against the lake; none where they are not captured in this stack."""
        lake = next((reader for engine, reader in readers.items() if engine != DATABASE), None)
        if commit is None or lake is None or SHOP not in present(self._stack):
            return
        names = sorted(set(commit.tables_of(SHOP.name)) - other_tables.KNOWN)
        if not names:
            self._unknown.append(f"lake: no table of {SHOP.name} is published yet")
            return
        enter = until_judged.enter_context
        schemas = schemas_of(SHOP.name)
        self._progress(f"{SHOP.engine} against {lake.engine}")
        tables: list[Table] = []

        def compared() -> other_tables.Compared | None:
            database = enter(postgres_snapshot(self._stack, schemas, ENGINE_SECONDS))
            seen_us = now_us()
            tables.extend(table for name in names if (table := self._described(database, name)) is not None)

            def look_again() -> tuple[Reader, Reader]:
                covering = self._covering(seen_us, cover_seconds, SHOP)
                if covering is None:
                    raise CouldNotLook("no published hash to look at again", where="lake")
                again = enter(lake_reader(self._stack, lake.engine, covering, ENGINE_SECONDS, self._progress))
                return (
                    enter(postgres_snapshot(self._stack, schemas, ENGINE_SECONDS)),
                    replace(again, schema=SHOP.name),
                )

            if not tables:
                return None
            in_lake = replace(lake, schema=SHOP.name)
            return other_tables.compare_others(tables, database, in_lake, look_again, f"{SHOP.name}.")

        in_shop = {engine: replace(reader, schema=SHOP.name) for engine, reader in readers.items()}
        self._keep(self._try(SHOP.name, compared), tables, in_shop, f"{SHOP.name}.")
        self._note(f"{SHOP.name} tables")

    def _keep(
        self,
        compared: other_tables.Compared | None,
        tables: Sequence[Table],
        readers: dict[str, Reader],
        prefix: str = "",
    ) -> None:
        """What was compared, and whether the lake's other engines show the same of it."""
        if compared is None:
            return
        self._others += compared.reports
        for engine, reader in readers.items():
            if engine in (DATABASE, compared.engine, *DEARLY):
                continue
            digests = self._try(engine, partial(reader.digests, compared.width, tables))
            if digests is not None:
                self._agreements.append(other_tables.agreement(tables, compared, engine, digests, prefix))

    def _described(self, database: Reader, name: str) -> Table | None:
        describe = other_tables.described if database.engine == DATABASE else other_tables.described_by_postgres
        try:
            return self._try(database.engine, lambda: describe(database, name))
        except other_tables.NotComparable as reason:
            self._unknown.append(str(reason))
            return None

    def _open_readers(
        self, pool: ThreadPoolExecutor, until_judged: ExitStack, commit: PublishedCommit | None
    ) -> tuple[dict[str, Reader], dict[str, int]]:
        """Every engine at one instant: the database now, the lake at the hash; in parallel."""
        contexts: dict[str, AbstractContextManager[Reader]] = {
            DATABASE: mariadb_snapshot(self._stack, ENGINE_SECONDS)
        }
        cuts = {DATABASE: now_us()}
        if commit is not None:
            for engine in self._engines:
                contexts[engine] = lake_reader(self._stack, engine, commit, ENGINE_SECONDS, self._progress)
                cuts[engine] = self._cut(commit.beat_us)
        opening = {
            engine: pool.submit(self._try, engine, lambda each=context: until_judged.enter_context(each))
            for engine, context in contexts.items()
        }
        return {engine: reader for engine, each in opening.items() if (reader := each.result()) is not None}, cuts

    def _cut(self, beat_us: int | None) -> int:
        """What was acknowledged before that must be in the lake; 0, with a reason, where a beat tells nothing."""
        if beat_us is None or beat_us <= now_us():
            return beat_us or 0
        said = f"lake: its newest heartbeat is of {_behind(beat_us, now_us())}: the clock was set back, or two differ"
        if said not in self._unknown:
            self._unknown.append(said)
        return 0

    def _largest(self, readers: dict[str, Reader]) -> int:
        """The largest order id: the database's, or where it is away the lake's. It only sets the buckets' width."""
        for reader in readers.values():
            largest = self._try(reader.engine, reader.largest)
            if largest is not None:
                return largest
        return 0

    def _look(
        self, pool: ThreadPoolExecutor, readers: dict[str, Reader], cuts: dict[str, int], width: int
    ) -> dict[str, Shown]:
        def look(engine: str, reader: Reader) -> Shown:
            digests = reader.digests(width)
            self._note(f"{engine} digests")
            # Where another engine has the same digests of the same hash, its rows keep the claims as well.
            asked = engine in (DATABASE, next((each for each in readers if each != DATABASE), ""))
            return Shown(cuts[engine], digests, tuple(broken_of(reader.broken())) if asked else None)

        self._progress(f"digests in {', '.join(readers)}")
        looking: dict[str, Future[Shown | None]] = {
            engine: pool.submit(self._try, engine, lambda name=engine, one=reader: look(name, one))
            for engine, reader in readers.items()
        }
        return {engine: shown for engine, each in looking.items() if (shown := each.result()) is not None}

    def _try[T](self, what: str, look: Callable[[], T]) -> T | None:
        """What `look` gives; None, with its reason noted, where it could not look."""
        try:
            return look()
        except (LakeproofError, OSError) as error:
            told = error.message if isinstance(error, LakeproofError) else f"{what}: {error}"
            self._unknown.append(told if what in told else f"{what}: {told}")
            return None

    def _note(self, step: str) -> None:
        self._steps[step] = round(self._time.elapsed, 2)


def _shop_claims(shop: claims.Findings) -> Iterator[Across]:
    for name, keys in shop.broken.items():
        judged = shop.judged.get(name)
        counted = (judged.count, judged.subjects, judged.aside) if judged is not None else (None, "", "")
        yield Across(name, len(keys), tuple(keys), *counted)

"""The publisher's loop, its state for /health, and the small HTTP server that shows both it and the metrics."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from http.server import ThreadingHTTPServer
from typing import Any, Protocol

from lakeproof.errors import LakeproofError
from lakeproof.lake.job.bridging import is_repaired_now, main_may_move
from lakeproof.lake.job.passing_over import is_behind, is_held
from lakeproof.lake.job.spec import RETENTION_MARGIN_SECONDS, metadata_files_kept
from lakeproof.lake.job.sql_files import table_names
from lakeproof.lake.nessie import client_of
from lakeproof.lake.publish.audit import AuditFailed
from lakeproof.lake.publish.full_audit import AuditLook, FullAudit, Hook
from lakeproof.lake.publish.main_branch import keep_as_backup
from lakeproof.lake.publish.metrics import PublisherMetrics
from lakeproof.lake.publish.old_manifests import remove_old_manifests
from lakeproof.lake.publish.old_metadata import OldMetadata
from lakeproof.lake.publish.publisher import Published, Publisher, RoundFailed
from lakeproof.lake.publish.retention import abort_old_uploads, remove_expired_copies
from lakeproof.lake.sources.source import Source, present
from lakeproof.metrics_server import make_metrics_server
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

CALL_SECONDS = 3.0
# Between two clean-ups, each of which lists all published copies.
RETENTION_SECONDS = 60.0
# Between two clean-ups of manifests, each of which lists all their folders: a thousand objects a table, and more.
MANIFESTS_SECONDS = 300.0
UPLOADS_SECONDS = 3600.0
# A round that takes longer than this hangs: /health then says so.
STUCK_SECONDS = 60.0
PAUSE_AFTER_FAILURE_SECONDS = 1.0
# Once a checkpoint's first snapshot is there its last one follows within about a second.
PAUSE_BEFORE_NEXT_SECONDS = 0.1
# If it does not follow in this time (a table's writer stands still) the usual pause counts until the next publish.
NEXT_SECONDS = 5.0
# A database whose checkpoints are farther apart is looked at less often: this many times between two checkpoints.
LOOKS_PER_CHECKPOINT = 10

HEALTHY, DEGRADED, FROZEN = "healthy", "degraded", "frozen"


@dataclass
class Health:
    """What /health tells.

    databases: healthy, degraded or frozen, for each database that is captured.
    frozen, failing: why `main` is frozen, and why a database's round failed; None where neither is so.
    round_at: when the round that is under way began, monotonic; None while the publisher pauses.
    full_audit: the newest full audit of each database. One that could not look does not make the publisher unwell.
    broken: what is wrong in what `main` shows of a database, by the newest audit that could look.
    """

    status: str = "starting"
    databases: dict[str, str] = field(default_factory=dict)
    frozen: str | None = None
    failing: str | None = None
    checkpoint: int | None = None
    hash: str | None = None
    published_at: float | None = None
    round_at: float | None = None
    full_audit: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


class Rounds(Protocol):
    """What a publisher does for the service."""

    sees_next: bool

    def round(self, source: Source, *, frozen: bool) -> Published | None:
        """As Publisher.round."""

    def newest(self, database: str) -> Mapping[str, int]:
        """As Publisher.newest."""

    def close(self) -> None:
        """End its threads."""


class Service:
    """Runs rounds until told to stop. `publisher`, `clock`: the project's own, unless a test brings one.

    audit: judges what was published, each minute; None: nobody does.
    """

    def __init__(
        self,
        stack: Stack,
        publisher: Rounds | None = None,
        clock: Callable[[], float] = time.monotonic,
        audit: Hook | None = None,
    ) -> None:
        self._stack = stack
        self._clock = clock
        self.metrics = PublisherMetrics()
        self.health = Health(round_at=time.monotonic())
        self._stop = threading.Event()
        self._s3 = s3_client(stack, timeout_seconds=CALL_SECONDS, attempts=1)
        self._nessie = client_of(stack, CALL_SECONDS)
        self._publisher = publisher or Publisher(
            self._s3, self._nessie, self.metrics, use_cut=stack.settings.lake.cut
        )
        audited_through = stack.data_dir("publisher") / "audited-through"
        self._full_audit = FullAudit(stack, audit, self._note_audit, self._keep_as_backup, audited_through)
        self._mended: set[str] = set()
        self._refused: dict[str, str] = {}
        self._failing: dict[str, str] = {}
        self._due: dict[str, float] = {}
        self._next_since: dict[str, float] = {}
        self._old_metadata = OldMetadata(self._s3)
        self._retention_due = clock() + RETENTION_SECONDS
        self._manifests_due = self._uploads_due = self._retention_due

    def stop(self) -> None:
        """End the loop after this round."""
        self._stop.set()

    def run(self) -> None:
        """Rounds, each after a pause, until stopped."""
        self._full_audit.start()
        while not self._stop.is_set():
            pause = self.round()
            self._stop.wait(pause)
        self._full_audit.stop()
        self._publisher.close()

    def round(self) -> float:
        """One round over the databases whose look is due; gives the seconds until a look or the clean-up is due.

        A failure in one database neither delays nor hurries the other databases and the clean-up.
        """
        self.health.round_at = time.monotonic()
        databases = present(self._stack)
        finding = self._finding(databases)
        self._forget_all_but({database.name for database in databases})
        for database in databases:
            if not self._is_due(database):
                continue
            # A repair brings its rows in parts: nothing of them is shown before all are there.
            pause = self._look(database, frozen=finding is not None or is_held(self._stack, database))
            self._due[database.name] = self._clock() + pause
        unfinished = self._unfinished(databases)
        self._show_frozen(finding or next(iter((self._refused | unfinished).values()), None))
        self.health.failing = next(iter(self._failing.values()), None)
        if self._failing:
            self.health.status = DEGRADED
        self._show_each(databases, finding, unfinished)
        self._remove_expired()
        nearest = min(self._retention_due, *(self._due.get(database.name, 0.0) for database in databases))
        self.health.round_at = None
        return max(0.0, nearest - self._clock())

    def _finding(self, databases: Iterable[Source]) -> str | None:
        """The finding that freezes `main`. One in tables that a repair mends now does not count (bridging.py)."""
        self.health.broken = self._full_audit.broken
        mended = {database.name for database in databases if main_may_move(self._stack, database)}
        # A repair has ended. Also where nothing is frozen yet: an audit under way judges a hash of before the repair.
        if self._mended - mended:
            self._full_audit.hurry()
        self._mended = mended
        return next((why for name, why in self._full_audit.freezing.items() if name not in mended), None)

    def _unfinished(self, databases: Iterable[Source]) -> dict[str, str]:
        """Database → why its tables stay as they are: a repair of them was cut off (passing_over.py)."""
        return {
            database.name: f"a repair of {database.name} is unfinished: lakeproof diagnose"
            for database in databases
            if is_behind(self._stack, database) and not is_repaired_now(self._stack, database)
        }

    def _look(self, database: Source, *, frozen: bool) -> float:
        """Publish what is new of that database; gives the pause until its own next look, in seconds."""
        try:
            published = self._publisher.round(database, frozen=frozen)
        except AuditFailed as error:
            self.metrics.failures.labels(database=database.name, stage="audit").inc()
            self._refused[database.name] = error.message
            self._failing.pop(database.name, None)
            return PAUSE_AFTER_FAILURE_SECONDS
        except RoundFailed as error:
            self.metrics.failures.labels(database=database.name, stage=error.stage).inc()
            if self._failing.get(database.name) != error.message:
                log.warning("%s: %s", database.name, error.message)
            self._failing[database.name] = error.message
            return PAUSE_AFTER_FAILURE_SECONDS
        self._failing.pop(database.name, None)
        if published is not None:
            self._refused.pop(database.name, None)
            self._note(database, published)
        usual = self._usual_pause(database)
        return min(usual, PAUSE_BEFORE_NEXT_SECONDS) if self._comes_soon(database, published) else usual

    def _usual_pause(self, database: Source) -> float:
        least = self._stack.settings.lake.publish_seconds
        return max(least, database.checkpoint_seconds(self._stack) / LOOKS_PER_CHECKPOINT)

    def _is_due(self, database: Source) -> bool:
        return self._clock() >= self._due.get(database.name, 0.0)

    def _comes_soon(self, database: Source, published: Published | None) -> bool:
        """Whether its next state is about to come; no longer once that has been so for NEXT_SECONDS in vain."""
        if published is not None or not self._publisher.sees_next:
            self._next_since.pop(database.name, None)
        if not self._publisher.sees_next:
            return False
        now = self._clock()
        return now - self._next_since.setdefault(database.name, now) < NEXT_SECONDS

    def _forget_all_but(self, captured: set[str]) -> None:
        """A database that is not captured any more neither fails nor is late."""
        for name in self.health.databases.keys() - captured:
            self._refused.pop(name, None)
            self._failing.pop(name, None)
            self._due.pop(name, None)
            self._next_since.pop(name, None)
            self._old_metadata.forget(name)
            self.health.full_audit = {of: look for of, look in self.health.full_audit.items() if of != name}
            self.metrics.forget(name)

    def _show_each(self, captured: tuple[Source, ...], finding: str | None, unfinished: Mapping[str, str]) -> None:
        """Set what /health and the metrics tell of each database."""
        told = {}
        for database in captured:
            name = database.name
            frozen = finding is not None or name in self._refused or name in unfinished
            told[name] = DEGRADED if name in self._failing else FROZEN if frozen else HEALTHY
            self.metrics.frozen.labels(database=name).set(int(frozen))
            self.metrics.expect_audit(name)
            seconds = database.longest_pause_seconds(self._stack)
            self.metrics.database_checkpoint_seconds.labels(database=name).set(seconds)
        self.health.databases = told

    def _show_frozen(self, why: str | None) -> None:
        if why is not None and self.health.frozen != why:
            log.error("main is frozen: %s", why)
        if why is None and self.health.frozen is not None:
            log.info("main moves again")
        self.health.frozen = why
        self.health.status = HEALTHY if why is None else FROZEN

    def _note_audit(self, look: AuditLook) -> None:
        self.metrics.note_audit(look)
        self.health.full_audit = {**self.health.full_audit, look.database: asdict(look)}

    def _keep_as_backup(self, through: str) -> None:
        _cleaned("the branch backup", lambda: keep_as_backup(self._nessie, through))

    def _note(self, database: Source, published: Published) -> None:
        now = time.time()
        self.metrics.published.inc()
        self.metrics.seconds.observe(published.seconds)
        self.health.hash, self.health.published_at = published.hash, now
        if database.first:
            self.health.checkpoint = published.checkpoint
        log.info(
            "published checkpoint %d of %s in %.0f ms: %s",
            *(published.checkpoint, database.name, published.seconds * 1000, published.hash),
        )

    def _remove_expired(self) -> None:
        if self._clock() < self._retention_due:
            return
        self._retention_due = self._clock() + RETENTION_SECONDS
        manifests = self._clock() >= self._manifests_due
        if manifests:
            self._manifests_due = self._clock() + MANIFESTS_SECONDS
        for database in present(self._stack):
            _cleaned(f"what has expired of {database.name}", partial(self._remove_copies, database))
            _cleaned(f"old metadata of {database.name}", partial(self._remove_old_metadata, database))
            if manifests:
                _cleaned(f"old manifests of {database.name}", partial(self._remove_old_manifests, database))
        if self._clock() >= self._uploads_due:
            self._uploads_due = self._clock() + UPLOADS_SECONDS
            _cleaned("what killed uploads left", lambda: abort_old_uploads(self._s3))

    def _remove_copies(self, database: Source) -> None:
        readable_seconds = self._stack.settings.lake.readable_seconds
        tables = table_names(database.name)
        remove_expired_copies(self._s3, self._nessie, database.name, tables, readable_seconds)

    def _remove_old_metadata(self, database: Source) -> None:
        kept = metadata_files_kept(self._stack, database)
        self._old_metadata.remove(database.name, self._publisher.newest(database.name), kept)

    def _remove_old_manifests(self, database: Source) -> None:
        kept_seconds = self._stack.settings.lake.readable_seconds + RETENTION_MARGIN_SECONDS
        remove_old_manifests(self._s3, database.name, table_names(database.name), kept_seconds)


def _cleaned(what: str, clean: Callable[[], object]) -> None:
    """Run a clean-up. Its failure is only logged, for the next one comes: a truncated old file ends no publisher."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        clean()
    except (LakeproofError, BotoCoreError, ClientError) as error:
        log.warning("%s stays for now: %s", what, error)
    except Exception:
        log.exception("%s stays for now", what)


def serve(service: Service, host: str, port: int) -> ThreadingHTTPServer:
    """Start serving /health and /metrics on a thread of its own; shut the result down in the end."""
    server = make_metrics_server(host, port, service.metrics.registry, lambda: health_page(service.health))
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server


def health_page(health: Health) -> tuple[int, dict[str, object]]:
    """(HTTP status, body): 503 where a round hangs."""
    began = health.round_at
    seconds = 0.0 if began is None else time.monotonic() - began
    told = asdict(health) | {"round_at": None, "seconds_in_round": round(seconds, 1)}
    stuck = seconds > STUCK_SECONDS
    return (503, told | {"status": "stuck"}) if stuck else (200, told)

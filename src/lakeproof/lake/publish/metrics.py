"""The publisher's metrics, in a registry of their own."""

from contextlib import suppress

from prometheus_client import CollectorRegistry

from lakeproof.lake.publish.commit import DatabaseState
from lakeproof.lake.publish.full_audit import AuditLook
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.metrics import Metrics


class PublisherMetrics(Metrics):
    """Names are a contract: rules and dashboards use them."""

    def __init__(self) -> None:
        super().__init__(CollectorRegistry())
        self.published = self.counter("lakeproof_publish", "states merged into main")  # the client adds _total
        self.last_at = self.gauge(
            "lakeproof_publish_last_timestamp_seconds", "when MariaDB's tables last moved on main, UNIX time"
        )
        self.database_last_at = self.gauge(
            "lakeproof_publish_database_timestamp_seconds",
            "when a database's tables last moved on main, UNIX time",
            "database",
        )
        self.database_checkpoint_seconds = self.gauge(
            "lakeproof_publish_database_checkpoint_seconds",
            "longest wanted pause between two checkpoints of a database's job, and so between two moves on main",
            "database",
        )
        self.database_beat_at = self.gauge(
            "lakeproof_publish_database_beat_timestamp_seconds",
            "newest heartbeat of a database on main, UNIX time by its clock",
            "database",
        )
        self.checkpoint = self.gauge("lakeproof_publish_checkpoint", "checkpoint on main")
        self.beat_at = self.gauge(
            "lakeproof_publish_beat_timestamp_seconds",
            "newest heartbeat on main, UNIX time by the source database's clock",
        )
        self.seconds = self.histogram(
            "lakeproof_publish_seconds",
            "from the choice of a cut to the merge",
            buckets=(0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12),
        )
        self.failures = self.counter(
            "lakeproof_publish_failures", "rounds that failed, by database and stage", "database", "stage"
        )
        self.frozen = self.gauge(
            "lakeproof_publish_frozen", "1 while an audit keeps a database's new states off main", "database"
        )
        self.unreadable_rows = self.gauge(
            "lakeproof_publish_unreadable_rows",
            "rows of the state looked at last that Paimon counts and readers do not see; more than 0 is refused",
            "database",
        )
        self.full_audits = self.counter(
            "lakeproof_publish_full_audits",
            "full audits by Trino, by database and outcome",
            "database",
            "outcome",
        )
        self.full_audit_at = self.gauge(
            "lakeproof_publish_full_audit_timestamp_seconds",
            "when the last full audit of a database that kept up with what is published began, or its first look in"
            " this publisher, UNIX time",
            "database",
        )
        self._audited = set[str]()
        for database in SOURCES:
            for outcome in ("passed", "failed", "unknown"):
                self.full_audits.labels(database=database.name, outcome=outcome)
            for stage in ("read", "metadata", "audit", "commit", "merge"):
                self.failures.labels(database=database.name, stage=stage)

    def note_audit(self, look: AuditLook) -> None:
        """Count a full audit; where it kept up with what is published, its time."""
        self.full_audits.labels(database=look.database, outcome=look.outcome).inc()
        if look.keeps_up:
            self._audited.add(look.database)
            self.full_audit_at.labels(database=look.database).set(look.at)

    def expect_audit(self, database: str) -> None:
        """That database is captured: from now on the age of its last audit counts, though none was made yet."""
        if database not in self._audited:
            self._audited.add(database)
            self.full_audit_at.labels(database=database).set_to_current_time()

    def note_main(self, source: Source, state: DatabaseState | None) -> None:
        """What `main` holds of a database, whoever published it: an old heartbeat counts by its own time."""
        if state is None:
            return
        self.database_last_at.labels(database=source.name).set(state.at.timestamp())
        if state.beat_us is not None:
            self.database_beat_at.labels(database=source.name).set(state.beat_us / 1e6)
        # These three have no label `database`: they are of before there was a second source.
        if source.first:
            self.last_at.set(state.at.timestamp())
            self.checkpoint.set(state.checkpoint)
            if state.beat_us is not None:
                self.beat_at.set(state.beat_us / 1e6)

    def forget(self, database: str) -> None:
        """Show nothing of a database that is not published any more: its age would only grow, and alert."""
        self._audited.discard(database)
        for metric in (
            self.database_last_at,
            self.database_checkpoint_seconds,
            self.database_beat_at,
            self.unreadable_rows,
            self.frozen,
            self.full_audit_at,
        ):
            with suppress(KeyError):
                metric.remove(database)

"""lag-exporter: writes heartbeats to the databases, and tells the delay of change capture by their age on arrival.

`kafka_connect_source_task_lag_millis` is computed at scrape time: now minus the newest beat that arrived. So it rises
by a second per second, whatever holds the beats up: the connector paused, stopped, failed or without its login,
Connect hung or dead, Kafka down. It also rises while the database is down or this ticker cannot write, which /health
and `lakeproof_ticker_*` tell apart. The metric is absent until a beat was seen, and never 0 for want of knowledge.
Run as `python -m lakeproof.observability.lag_exporter NAME`, for the sources whose exporter is the component NAME.
The exporter also watches a source's replication slot, where its server keeps the connector's place in its log; the
columns of the captured tables, in which a database may run ahead of the lake; and the settings by which a connector
delivers, a database writes its log, and a topic keeps and takes records.

What comes through the topic also sets the pace of the lake's checkpoints (lake/job/pace.py).
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import copy_context
from functools import partial
from types import FrameType

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.lake.capture import missed, slot
from lakeproof.lake.capture.columns import ColumnWatch
from lakeproof.lake.capture.connector import Connector, find_connector
from lakeproof.lake.capture.heartbeat import BeatReader, HeartbeatTable, Ticker, topic_consumer
from lakeproof.lake.capture.slot import SlotWatch
from lakeproof.lake.job.flink_rest import can_be_asked
from lakeproof.lake.job.pace import CheckpointPace
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.metrics_server import make_metrics_server
from lakeproof.probes import connect, databases, kafka
from lakeproof.probes.round import Round
from lakeproof.stack.stack import Stack, load_stack

log = logging.getLogger(__name__)

# Between two looks at what a job has not read. Each takes two short questions to Kafka.
BACKLOG_SECONDS = 4.0
# Between two looks at a capture's settings; and how long a look waits for an answer.
SETTINGS_SECONDS, ANSWER_SECONDS = 4.0, 3.0

type Pair = tuple[Ticker, BeatReader]
type Samples = Iterable[tuple[Sequence[str], float]]
type Look = Callable[[Stack, float, Source], list[str] | None]


class LagCollector(Collector):
    """The metrics of every connector; `now` gives seconds since the epoch."""

    def __init__(self, pairs: dict[str, Pair], now: Callable[[], float] = time.time) -> None:
        self._pairs, self._now = pairs, now

    def collect(self) -> Iterator[Metric]:
        """One look, at scrape time."""
        lag = GaugeMetricFamily(
            "kafka_connect_source_task_lag_millis",
            "age of the newest heartbeat that came through change capture",
            labels=["connector"],
        )
        beat = GaugeMetricFamily(
            "lakeproof_ticker_last_beat_timestamp_seconds",
            "newest heartbeat written to the database, by its clock",
            labels=["connector"],
        )
        ticker_errors = CounterMetricFamily(
            "lakeproof_ticker_errors", "heartbeats that could not be written", labels=["connector"]
        )
        reader_errors = CounterMetricFamily(
            "lakeproof_lag_consumer_errors", "errors while reading heartbeats from Kafka", labels=["connector"]
        )
        for name, (ticker, reader) in self._pairs.items():
            if reader.newest_us is not None:
                lag.add_metric([name], max(0.0, self._now() * 1000 - reader.newest_us / 1000))
            if ticker.last_beat_us is not None:
                beat.add_metric([name], ticker.last_beat_us / 1e6)
            ticker_errors.add_metric([name], ticker.condition.errors)
            reader_errors.add_metric([name], reader.condition.errors)
        return iter((lag, beat, ticker_errors, reader_errors))


class SlotCollector(Collector):
    """The metrics of the replication slots, by connector."""

    def __init__(self, watches: dict[str, SlotWatch]) -> None:
        self._watches = watches

    def collect(self) -> Iterator[Metric]:
        """The newest look at each slot."""
        kept = GaugeMetricFamily(
            "lakeproof_slot_kept_bytes", "WAL that a connector's replication slot keeps", labels=["connector"]
        )
        lost = GaugeMetricFamily("lakeproof_slot_lost", "1 while the slot is lost or not there", labels=["connector"])
        for name, watch in self._watches.items():
            slot = watch.slot
            if slot is not None and slot.kept_bytes is not None:
                kept.add_metric([name], slot.kept_bytes)
            if watch.lost is not None:
                lost.add_metric([name], float(watch.lost))
        return iter((kept, lost))


class Gauge(Collector):
    """One gauge. look: gives its samples at a scrape, each as the values of its labels and the value."""

    def __init__(self, name: str, told: str, labels: tuple[str, ...], look: Callable[[], Samples]) -> None:
        self._make, self._look = partial(GaugeMetricFamily, name, told, labels=labels), look

    def collect(self) -> Iterator[Metric]:
        """The samples of the newest look; none for what gave no answer."""
        gauge = self._make()
        for labels, value in self._look():
            gauge.add_metric(labels, value)
        yield gauge


class BacklogWatch(threading.Thread):
    """Looks at how much of a source's topic its job has not read and kept, until `stop` is set.

    `unread`: the records by the newest look; None before the first look, while Kafka does not answer, and before the
    job's first checkpoint.
    """

    def __init__(self, stack: Stack, source: Source, stop: threading.Event) -> None:
        super().__init__(name=f"backlog-{source.name}", daemon=True)
        self.source = source
        self.unread: int | None = None
        self._stack, self._stop_asked = stack, stop

    def run(self) -> None:
        """The thread's work, with one admin client for all looks."""
        Round().begin()
        while not self._stop_asked.is_set():
            try:
                self.unread = kafka.unread(self._stack, BACKLOG_SECONDS, self.source)
            except CouldNotLook:
                # The reader of the beats asks the same broker, and says that it does not answer.
                self.unread = None
            except Exception:  # a thread that died would keep its last figure for good
                self.unread = None
                log.exception("could not look at what the job of %s has not read", self.source.name)
            self._stop_asked.wait(BACKLOG_SECONDS)


def unread_records(watches: Sequence[BacklogWatch]) -> Gauge:
    """What each source's job has not read and kept yet."""
    return Gauge(
        "lakeproof_unread_records",
        "records of a capture's topic after the place that the lake's job keeps in its last checkpoint",
        ("database",),
        lambda: (((each.source.name,), unread) for each in watches if (unread := each.unread) is not None),
    )


class SettingsWatch(threading.Thread):
    """Looks at a source's connector, at the log that it reads and the topic that it writes, until `stop` is set.

    `changed`: "connector", "database" or "topic" → how many of its settings are otherwise than the capture needs, by
    the newest look. One that gave no answer is missing there, and so is a connector that does not exist.
    Settings of a connector or a database that stay changed for two looks leave a mark (capture/missed.py). Those of a
    topic do not: such a topic seldom lost what the job had not read, and then the job mostly stops
    (docs/decisions/0051 says when not).
    """

    def __init__(self, stack: Stack, source: Source, stop: threading.Event) -> None:
        super().__init__(name=f"settings-{source.name}", daemon=True)
        self.source = source
        self.changed: Mapping[str, int] = {}
        self._stack, self._stop_asked = stack, stop

    def run(self) -> None:
        """The thread's work. Its looks are made in no round (probes/round.py), which would keep the first answer.

        Only the looks at the topic are: that round keeps nothing but the client of Kafka.
        """
        of_kafka = copy_context()
        of_kafka.run(Round().begin)
        looks: tuple[tuple[str, Look, missed.Kind | None], ...] = (
            ("connector", connect.changed, missed.BY_CONNECTOR),
            ("database", databases.lacking, missed.BY_LOG),
            ("topic", lambda *asked: of_kafka.run(kafka.changed_settings, *asked), None),
        )
        before: dict[str, list[str]] = {}
        while not self._stop_asked.is_set():
            found: dict[str, list[str]] = {}
            for whose, look, kind in looks:
                try:
                    if (changed := look(self._stack, ANSWER_SECONDS, self.source)) is not None:
                        found[whose] = changed
                    # To set it right, by whatever means, does not bring the rows that the lake has missed.
                    if kind and changed and changed == before.get(whose) and changed != [missed.NOT_BROUGHT]:
                        missed.note(self._stack, self.source, kind)
                except LakeproofError:
                    # The supervisor's questions to Kafka Connect and to the database tell that there is no answer.
                    pass
                except Exception:  # a thread that died would keep its last figure for good
                    log.exception("could not look at the settings of the %s of %s", whose, self.source.name)
            before, self.changed = found, {whose: len(changed) for whose, changed in found.items()}
            self._stop_asked.wait(SETTINGS_SECONDS)


def changed_settings(watches: Sequence[SettingsWatch]) -> Gauge:
    """How many settings of each capture are otherwise than it needs."""
    return Gauge(
        "lakeproof_capture_changed_settings",
        "settings that are otherwise than the capture needs: of the connector (not as it was registered), of"
        " the database (how it writes its log), of the topic (which records it keeps and takes)",
        ("connector", "of"),
        lambda: (
            ((each.source.connector, whose), count) for each in watches for whose, count in each.changed.items()
        ),
    )


def drifted_columns(watches: Sequence[ColumnWatch]) -> Gauge:
    """How many columns of each captured table are not as the lake's SQL declares them."""
    return Gauge(
        "lakeproof_drifted_columns",
        "columns of a captured table that are not as the lake's SQL declares them: not declared, gone, renamed,"
        " or of a type that it may not be able to read",
        ("database", "table"),
        lambda: (
            ((each.source.name, table), count) for each in watches for table, count in (each.drifted or {}).items()
        ),
    )


def health(pairs: dict[str, Pair], watches: dict[str, SlotWatch], name: str) -> tuple[int, dict[str, object]]:
    """(HTTP status, body): 200 when every dependency answers, else 503 with the reason per dependency."""
    reasons: dict[str, str] = {}
    conditions = [condition for pair in pairs.values() for condition in (pair[0].condition, pair[1].condition)]
    for condition in (*conditions, *(watch.condition for watch in watches.values())):
        if reasons.get(condition.dependency, "ok") == "ok":
            reasons[condition.dependency] = condition.reason or "ok"
    well = all(reason == "ok" for reason in reasons.values())
    return (200 if well else 503), {
        "status": "ok" if well else "degraded",
        "service": name,
        "dependencies": reasons,
    }


def connectors_of(exporter: str) -> list[Connector]:
    """The connectors of the sources whose exporter this component is."""
    return [find_connector(source.connector) for source in SOURCES if source.exporter == exporter]


def make_pair(stack: Stack, connector: Connector, stop: threading.Event) -> Pair:
    """The ticker and the reader of a connector."""
    return (
        Ticker(connector.name, HeartbeatTable(stack, connector), stop, engine=connector.engine),
        BeatReader(connector, partial(topic_consumer, stack), stop),
    )


def paces_of(stack: Stack, name: str, pairs: Mapping[str, Pair], stop: threading.Event) -> list[CheckpointPace]:
    """The threads that ask the jobs of this component's sources for checkpoints.

    What a reader of beats sees of the topic sets the pace. A job for which Flink's own interval is enough has none.
    """
    return [
        CheckpointPace(stack, source, pairs[source.connector][1], stop)
        for source in SOURCES
        if source.exporter == name and source.longest_pause_seconds(stack) > source.checkpoint_seconds(stack)
        if can_be_asked(stack)
    ]


def run(stack: Stack, name: str) -> None:
    """Serve until SIGTERM or SIGINT, as the component `name`."""
    stop = threading.Event()
    watched = connectors_of(name)
    pairs = {each.name: make_pair(stack, each, stop) for each in watched}
    watches = {each.name: SlotWatch(stack, each, stop) for each in watched if slot.NAME in each.config}
    columns = [ColumnWatch(stack, source, stop) for source in SOURCES if source.exporter == name]
    backlogs = [BacklogWatch(stack, source, stop) for source in SOURCES if source.exporter == name]
    settings = [SettingsWatch(stack, source, stop) for source in SOURCES if source.exporter == name]
    paces = paces_of(stack, name, pairs, stop)
    registry = CollectorRegistry()
    registry.register(LagCollector(pairs))
    registry.register(drifted_columns(columns))
    registry.register(unread_records(backlogs))
    registry.register(changed_settings(settings))
    if watches:
        registry.register(SlotCollector(watches))
    ProcessCollector(registry=registry)
    server = make_metrics_server(
        stack.settings.host, stack.port(name), registry, lambda: health(pairs, watches, name)
    )

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    pair_threads = [thread for pair in pairs.values() for thread in pair]
    threads = [*pair_threads, *watches.values(), *columns, *backlogs, *settings, *paces]
    for thread in threads:
        thread.start()
    stop.wait()
    server.shutdown()
    for thread in threads:
        thread.join(timeout=2.0)


if __name__ == "__main__":
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO").upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("httpx").setLevel("WARNING")  # else a line for every question to Kafka Connect and Flink
    run(load_stack(), *sys.argv[1:])

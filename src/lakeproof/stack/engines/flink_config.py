"""Flink's configuration file and log settings, as text. Values in, text out.

Everything listens on the stack's host only. Flink's start scripts, which divide the TaskManager's memory, are not
used, so each part of it is set here. Checkpoints are kept when the job ends: a JobManager that was killed remembers
nothing else of the job.
"""

import re
from pathlib import Path

from lakeproof.stack.engines import jvm
from lakeproof.stack.object_store import FLINK_BUCKET, REGION
from lakeproof.stack.stack import Stack
from lakeproof.written import read_if_there

CHECKPOINTS = f"s3://{FLINK_BUCKET}/checkpoints"
SAVEPOINTS = f"s3://{FLINK_BUCKET}/savepoints"

_ENDPOINT = re.compile(r'^s3\.endpoint: "(.*)"$', re.MULTILINE)

LATENCY_MARKER_MS = 10_000

# The metrics that the agent exports (jmx/flink-*.yml), as SCOPE:NAMES. Without this list the reporter makes some
# thousand beans whenever a job starts, one for each metric, and each scrape goes through all of them.
REPORTED = (
    "jobmanager.job:numRestarts,uptime,numberOfFailedCheckpoints,numberOfCompletedCheckpoints,lastCompletedCheckpointId"
    ",lastCheckpointDuration",
    "taskmanager.job.task.operator:pendingRecords",
    "taskmanager.job.task.operator.aligner",
    "taskmanager.job*latency*:latency",
)

# MariaDB's job takes one slot (two where it was rescaled), PostgreSQL's job one; one is left for a query.
SLOTS = 4

# heap = framework.heap + task.heap; direct = framework.off-heap + task.off-heap + network
TASK_HEAP_MB = 512
FRAMEWORK_HEAP_MB = 96
DIRECT_MB = 256
TASKMANAGER_MEMORY = {
    "taskmanager.cpu.cores": "1.0",
    "taskmanager.memory.task.heap.size": f"{TASK_HEAP_MB}m",
    "taskmanager.memory.framework.heap.size": f"{FRAMEWORK_HEAP_MB}m",
    "taskmanager.memory.task.off-heap.size": "64m",
    "taskmanager.memory.framework.off-heap.size": "96m",
    "taskmanager.memory.network.min": "96m",
    "taskmanager.memory.network.max": "96m",
    "taskmanager.memory.managed.size": "192m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "128m",
    "taskmanager.memory.jvm-overhead.max": "128m",
}


def config_yaml(stack: Stack, component: str) -> str:
    """config.yaml of one Flink process. Holds the store's keys: write it with mode 600."""
    values = _network(stack, component) | _object_store(stack, component) | _recovery() | TASKMANAGER_MEMORY
    values |= {
        "taskmanager.numberOfTaskSlots": str(SLOTS),
        "parallelism.default": "1",
        "io.tmp.dirs": str(stack.data_dir(component) / "tmp"),
        "blob.storage.directory": str(stack.data_dir(component) / "blobs"),
        "web.upload.dir": str(stack.data_dir(component) / "upload"),
        # '*' by default. With this, web pages of other sites cannot read Flink's answers; their requests still work.
        "web.access-control-allow-origin": stack.url("flink-jobmanager"),
        "web.cancel.enable": "true",
        "metrics.reporters": "jmx",
        "metrics.reporter.jmx.factory.class": "org.apache.flink.metrics.jmx.JMXReporterFactory",
        "metrics.reporter.jmx.filter.includes": ";".join(REPORTED),
        # for flink_jobmanager_job_latency: each source sends a marker every ten seconds, which costs next to nothing
        "metrics.latency.interval": str(LATENCY_MARKER_MS),
        "classloader.check-leaked-classloader": "false",
    }
    return "".join(f'{key}: "{value}"\n' for key, value in values.items())


def _network(stack: Stack, component: str) -> dict[str, str]:
    host = stack.settings.host
    worker = component if component.startswith("flink-taskmanager") else "flink-taskmanager"
    return {
        "jobmanager.rpc.address": host,
        "jobmanager.rpc.port": str(stack.port("flink-jobmanager", "rpc")),
        "jobmanager.bind-host": host,
        "blob.server.port": str(stack.port("flink-jobmanager", "blob")),
        "rest.address": host,
        "rest.bind-address": host,
        "rest.port": str(stack.port("flink-jobmanager")),
        "taskmanager.host": host,
        "taskmanager.bind-host": host,
        "taskmanager.rpc.port": str(stack.port(worker, "rpc")),
        "taskmanager.data.port": str(stack.port(worker, "data")),
        "sql-gateway.endpoint.rest.address": host,
        "sql-gateway.endpoint.rest.bind-address": host,
        "sql-gateway.endpoint.rest.port": str(stack.port("flink-sql-gateway")),
    }


def other_road(stack: Stack, component: str) -> Path:
    """A file that, while it is there, holds another URL by which this Flink process reaches the object store."""
    return stack.etc_dir(component) / "object-store-url"


def store_url(stack: Stack, component: str) -> str:
    """The object store's URL for that process at its next start."""
    road = read_if_there(other_road(stack, component))
    return stack.url("minio") if road is None else road.strip()


def road_of(stack: Stack, component: str) -> str:
    """The object store's URL in the configuration of its last start; the stack's own where it never started."""
    found = _ENDPOINT.search(read_if_there(stack.etc_dir(component) / "config.yaml") or "")
    return found[1] if found else stack.url("minio")


def _object_store(stack: Stack, component: str) -> dict[str, str]:
    return {
        "s3.endpoint": store_url(stack, component),
        "s3.endpoint.region": REGION,
        "s3.path.style.access": "true",
        "s3.access-key": stack.secret("s3-access-key"),
        "s3.secret-key": stack.secret("s3-secret-key"),
        "s3.directory.marker.retention": "keep",
        "s3.connection.timeout": "10000",
        "s3.connection.establish.timeout": "3000",
        "s3.attempts.maximum": "5",
    }


def _recovery() -> dict[str, str]:
    return {
        "jobmanager.scheduler": "adaptive",
        # 5 minutes by default, after which the job would fail for good while its TaskManager is away
        "jobmanager.adaptive-scheduler.resource-wait-timeout": "1 h",
        "jobmanager.adaptive-scheduler.resource-stabilization-timeout": "1 s",
        # A killed TaskManager is noticed when two heartbeats in a row cannot be sent, before a new one listens on its
        # port. The timeout is for a TaskManager that hangs, or waits long for a busy core.
        "heartbeat.interval": "1000",
        "heartbeat.timeout": "10000",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "500 ms",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
        "restart-strategy.exponential-delay.backoff-multiplier": "1.5",
        "restart-strategy.exponential-delay.reset-backoff-threshold": "1 min",
        "state.backend.type": "hashmap",
        "execution.checkpointing.storage": "filesystem",
        "execution.checkpointing.dir": CHECKPOINTS,
        "execution.checkpointing.savepoint-dir": SAVEPOINTS,
        "execution.checkpointing.num-retained": "3",
        # 20 kb by default. The lake's job has more state than that, and a file for it costs five requests to the
        # store at each checkpoint.
        "execution.checkpointing.data-inline-threshold": "512 kb",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.tolerable-failed-checkpoints": "100000",
        "execution.checkpointing.timeout": "2 min",
    }


def log4j2() -> str:
    """Everything to standard output, which the supervisor keeps; no line per checkpoint."""
    quiet = {
        "org.apache.flink.runtime.checkpoint": "warn",
        "org.apache.flink.kafka.shaded": "warn",
        "org.apache.paimon": "warn",
        "org.apache.hadoop": "warn",
        # it logs a page of statistics for each stream that a failed write left open
        "org.apache.hadoop.fs.s3a.S3AInstrumentation": "error",
        "org.apache.pekko": "warn",
        "org.apache.flink.fs.s3": "warn",
    }
    return jvm.log4j2(quiet, pattern=f"{jvm.LOG_PATTERN}%throwable")

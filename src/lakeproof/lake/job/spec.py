"""What a job is told, as one JSON text without secrets (java/transaction_aligner reads it)."""

import base64
import json
import math
from typing import Any

from lakeproof.lake.job.added_columns import job_files
from lakeproof.lake.job.passing_over import passes_over
from lakeproof.lake.job.sql_files import SqlFile, load_result_files
from lakeproof.lake.result_topics import result_topic
from lakeproof.lake.sources.source import Source
from lakeproof.stack.object_store import WAREHOUSE
from lakeproof.stack.stack import Stack

# A hash is published some seconds after its snapshots were made, and a reader may be in the middle of a query.
RETENTION_MARGIN_SECONDS = 300
# Two per checkpoint: APPEND and COMPACT.
SNAPSHOTS_PER_CHECKPOINT = 2
# Every commit reads all manifests of its table, Paimon's and Iceberg's, so they are merged while they are few. By
# default up to 30 and 50 of them stand, and reading them was much of what the object store was asked.
FEW_MANIFESTS = {
    "manifest.merge-min-count": "5",
    "metadata.iceberg.compaction.min.file-num": "2",
    "metadata.iceberg.compaction.max.file-num": "4",
}
# How often `lake publish` and `check` ask for a checkpoint while they wait, whatever the source's own pace.
ASKED_EVERY_SECONDS = 2.0
# The share of a pause between two checkpoints in which none may run. Without it the missed checkpoints followed one
# that took longer than the pause back to back, which made the next ones slower still.
SHARE_WITHOUT_CHECKPOINT = 0.5
# How long Iceberg metadata files are kept: the publisher reads each within seconds, so one minute is plenty.
METADATA_KEPT_SECONDS = 60


def retained_seconds(stack: Stack) -> int:
    """How long Paimon keeps a snapshot and its files."""
    return stack.settings.lake.readable_seconds + RETENTION_MARGIN_SECONDS


def metadata_files_kept(stack: Stack, database: Source) -> int:
    """How many of a table's newest Iceberg metadata files are left standing."""
    return max(20, math.ceil(METADATA_KEPT_SECONDS * SNAPSHOTS_PER_CHECKPOINT / database.checkpoint_seconds(stack)))


def _snapshots_per_second(stack: Stack, database: Source) -> float:
    """The most that may come: at the source's own pace, and at the pace of one who waits for a state meanwhile."""
    return SNAPSHOTS_PER_CHECKPOINT * (1 / database.checkpoint_seconds(stack) + 1 / ASKED_EVERY_SECONDS)


def table_options(stack: Stack, database: Source) -> dict[str, str]:
    """The options that all lake tables of a database share; the job gives them to the tables at each start.

    Size: a table's metadata file holds about 290 bytes per retained snapshot and is written anew for each, so both
    the snapshots and the kept files are bounded (docs/lake.md has the figures). The publisher removes the files
    (publish/old_metadata.py), for Paimon would list a table's whole metadata folder after every commit.
    """
    per_second = _snapshots_per_second(stack, database)
    return {
        **database.table_options,
        "file.format": "parquet",
        "metadata.iceberg.storage": "hadoop-catalog",
        "metadata.iceberg.format-version": "3",
        "metadata.iceberg.delete-after-commit.enabled": "false",
        "snapshot.time-retained": f"{retained_seconds(stack)} s",
        "snapshot.num-retained.min": "20",
        "snapshot.num-retained.max": str(math.ceil(retained_seconds(stack) * per_second) + 100),
        "commit.force-create-snapshot": "true",
        **FEW_MANIFESTS,
        "sink.committer-operator-chaining": "false",
        "sink.operator-uid.suffix": "lake",
    }


def make_spec(stack: Stack, database: Source, sql_files: tuple[SqlFile, ...] | None = None) -> dict[str, Any]:
    """The whole spec. sql_files: instead of those of the source (`job_files`).

    Raises: InvalidInput where an SQL file is wrong, TerminalError where the list of added columns is.
    """
    lake = stack.settings.lake
    host, port = stack.host_port("kafka")
    pause, longest = database.checkpoint_seconds(stack), database.longest_pause_seconds(stack)
    # Checkpoints that are asked for (pace.py) keep their own pauses. Flink's own come only where none of those did.
    free = pause * SHARE_WITHOUT_CHECKPOINT if longest == pause else longest
    return {
        "name": database.job,
        "brokers": f"{host}:{port}",
        "topic": database.topic,
        "pass_over": passes_over(stack, database),
        "align": lake.align_transactions,
        # Exactly-once is kept in two places: by Connect's transactions, and by the job, which drops what the
        # connector sends again anyway.
        "drop_repeats": stack.settings.capture.exactly_once,
        "warehouse": WAREHOUSE,
        "database": database.name,
        "table_options": table_options(stack, database),
        "config": {
            "execution.checkpointing.interval": f"{int(longest * 1000)} ms",
            "execution.checkpointing.min-pause": f"{int(free * 1000)} ms",
            "execution.checkpointing.mode": "EXACTLY_ONCE",
            "table.exec.sink.upsert-materialize": "NONE",
            "table.local-time-zone": "UTC",
            "parallelism.default": "1",
        },
        "files": [
            {"table": file.table, "statements": list(file.statements)}
            for file in sql_files or job_files(stack, database)
        ],
        "results": [_result(file) for file in load_result_files(database.name)] if lake.result_topics else [],
    }


def _result(file: SqlFile) -> dict[str, Any]:
    topic = result_topic(file.table)
    return {
        "table": file.table,
        "topic": topic.name,
        "partitions": topic.partitions,
        "statement": file.statements[0],
    }


def encode(spec: dict[str, Any]) -> str:
    """The spec as one argument."""
    return base64.b64encode(json.dumps(spec).encode()).decode()

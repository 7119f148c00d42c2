"""The result topics, which the lake's job writes for services that read a projection instead of the lake.

Kafka's provision creates one topic for each SQL file of lake/jobs/oltp/results and names the topic after the file.
"""

from importlib.resources import files

from lakeproof.stack.topics import Topic

PARTITIONS = 3
# The newest record of each key stays for ever, also a record that says that the row was deleted, so that a projection
# can be made anew. No record is compacted away before a projector had a day to read it.
_CONFIG = {
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": str(86_400_000),
    "min.insync.replicas": "1",
    "segment.bytes": str(16 * 1024 * 1024),
}


def result_topic(table: str) -> Topic:
    """The topic of results/<table>.sql."""
    return Topic(f"results.{table}", PARTITIONS, _CONFIG)


def result_topics() -> tuple[Topic, ...]:
    """All result topics."""
    folder = files("lakeproof_shop.tables") / "oltp" / "results"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(result_topic(name.removesuffix(".sql")) for name in names)

"""The result topics: what the lake's job writes for who reads a projection and not the lake.

Made by kafka's provision, one for each SQL file of lake/jobs/oltp/results, named after it.
"""

from importlib.resources import files

from lakeproof.stack.topics import Topic

PARTITIONS = 3
# Of one key the newest record stays for ever, also the one that says that it is gone: a projection can be made anew.
# None is compacted away before a projector had a day to read it.
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
    """All of them."""
    folder = files("lakeproof.lake.jobs") / "oltp" / "results"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(result_topic(name.removesuffix(".sql")) for name in names)

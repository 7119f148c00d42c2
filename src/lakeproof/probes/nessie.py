"""Questions to Nessie: what is published on `main`, from which checkpoint, how old the data in it is, and whether
anybody but the publisher has written or moved `main`.
"""

from contextlib import closing

from lakeproof.errors import CouldNotLook
from lakeproof.lake.nessie import client_of
from lakeproof.lake.nessie_commit import OURS
from lakeproof.lake.publish.commit import LOOKED_THROUGH, PublishedCommit
from lakeproof.lake.publish.history import MAIN, NothingPublished, newest
from lakeproof.lake.publish.main_branch import author_on_main, shown_before
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import get_json
from lakeproof.probes.probe import Probe, of_source
from lakeproof.probes.reading import Value
from lakeproof.probes.round import once
from lakeproof.stack.stack import Stack

KEPT, LOST = "kept", "lost"
# The components that a heartbeat passes from its database to `main`. Nessie is the source of the reading itself.
ON_THE_WAY = ("kafka", "connect", "flink-jobmanager", "flink-taskmanager", "minio", "publisher")


def _newest(stack: Stack) -> PublishedCommit | None:
    try:
        return once("newest publish", lambda: newest(stack))
    except NothingPublished:
        return None


def published_hash(stack: Stack, timeout: float) -> Value:
    """The newest published commit; None before the first one."""
    commit = _newest(stack)
    return None if commit is None else commit.hash


def published_checkpoint(stack: Stack, timeout: float) -> Value:
    """The checkpoint that the newest published commit was cut at; None before the first one."""
    commit = _newest(stack)
    return None if commit is None else commit.plain.checkpoint


def publish_age(stack: Stack, timeout: float, source: Source) -> Value:
    """Age in seconds of that database's newest heartbeat on `main`, beyond the longest wanted pause of checkpoints.

    It grows however much is published: a publish that brings no newer heartbeat makes nothing fresher.
    Raises: CouldNotLook before a heartbeat of it is on `main`.
    """
    commit = _newest(stack)
    age = None if commit is None else commit.age_seconds(source.name)
    if age is None:
        raise CouldNotLook(f"no heartbeat of {source.name} is published yet", where="nessie")
    return round(max(0.0, age - source.longest_pause_seconds(stack)), 3)


def lake_tables(stack: Stack, timeout: float) -> Value:
    """`namespace.table` of every table on `main`, sorted, joined by spaces."""
    with closing(client_of(stack, timeout)) as nessie:
        return " ".join(sorted(nessie.tables(MAIN)))


def main_author(stack: Stack, timeout: float) -> Value:
    """Who made main's newest commits: "lakeproof" for the publisher alone, else the name that another author gave."""
    with closing(client_of(stack, timeout)) as nessie:
        return author_on_main(nessie)


def last_merge_kept(stack: Stack, timeout: float) -> Value:
    """KEPT where main's history has what the running publisher merged last, else LOST. While the publisher has merged
    nothing, the state counts that `main` showed when the newest commit was made on `ingest`.
    """
    merged = (get_json(f"{stack.url('publisher')}/health", timeout) or {}).get("hash")
    with closing(client_of(stack, timeout)) as nessie:
        kept = merged or shown_before(nessie)
        return KEPT if kept is None or nessie.holds(MAIN, str(kept)) else LOST


def _age(source: Source) -> Probe:
    query = f"lakeproof lake log --json: age of the newest heartbeat of {source.name}, less a checkpoint's pause"
    fresh, about = Condition(Operator.BELOW, 60), source.about(*ON_THE_WAY, source.engine, source.exporter)
    return of_source(source, "publish-age", "nessie", query, publish_age, "s", fresh, about=about, always=True)


PROBES = (
    Probe("published-hash", "nessie", "lakeproof lake log: newest hash", "", published_hash),
    Probe("published-checkpoint", "nessie", "lakeproof lake log: newest checkpoint", "", published_checkpoint),
    *(_age(source) for source in SOURCES),
    Probe(
        "main-author",
        "nessie",
        f"GET /trees/{MAIN}/history?max-records={LOOKED_THROUGH}: .commitMeta.authors",
        "",
        main_author,
        Condition(Operator.IS, OURS),
        always=True,
        steady=True,
    ),
    Probe(
        "main-last-merge",
        "nessie",
        f"GET /trees/{MAIN}/history has .hash of the publisher's /health",
        "",
        last_merge_kept,
        Condition(Operator.IS, KEPT),
        always=True,
        about=("publisher",),
        within="publisher",
        steady=True,
    ),
    Probe("lake-tables", "nessie", f"GET /trees/{MAIN}/entries", "", lake_tables, inventory=True),
)

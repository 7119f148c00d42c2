"""Questions to Nessie: what is published on `main`, from which checkpoint, how long ago."""

from datetime import UTC, datetime

from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish.history import NothingPublished, PublishedCommit, newest
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack


def _newest(stack: Stack) -> PublishedCommit | None:
    try:
        return newest(stack)
    except NothingPublished:
        return None


def published_hash(stack: Stack, timeout: float) -> Value:
    """The newest published commit; None before the first one."""
    commit = _newest(stack)
    return None if commit is None else commit.hash


def published_checkpoint(stack: Stack, timeout: float) -> Value:
    """The checkpoint that the newest published commit was cut at; None before the first one."""
    commit = _newest(stack)
    return None if commit is None else commit.checkpoint


def publish_age(stack: Stack, timeout: float) -> Value:
    """Seconds since the newest published commit, by our clock. Raises: CouldNotLook before the first one."""
    commit = _newest(stack)
    if commit is None:
        raise CouldNotLook("nothing is published yet", where="nessie")
    return round(max(0.0, (datetime.now(UTC) - commit.at).total_seconds()), 3)


PROBES = (
    Probe("published-hash", "nessie", "lakeproof lake log: newest hash", "", published_hash),
    Probe("published-checkpoint", "nessie", "lakeproof lake log: newest checkpoint", "", published_checkpoint),
    Probe(
        "publish-age",
        "nessie",
        "lakeproof lake log: age of the newest",
        "s",
        publish_age,
        Condition(Operator.BELOW, 60),
        always=True,
        about=("publisher",),
    ),
)

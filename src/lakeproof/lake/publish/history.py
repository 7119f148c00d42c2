"""What was published: the commits on `main`, read back with what each holds and until when it can be read.

A published commit carries, as Nessie commit properties, `checkpoint`, `gtid` (every source transaction up to it is
in), `beat_us` (newest heartbeat in it, UNIX µs by the source database's clock) and `snapshot.<table>`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.lake.nessie import Commit, NessieClient, NessieUnreachable, NoSuchReference, client_of
from lakeproof.stack.stack import Stack

MAIN = "main"
INGEST = "ingest"
CHECKPOINT = "checkpoint"
GTID = "gtid"
BEAT_US = "beat_us"
SNAPSHOT = "snapshot."

# A prefix of a hash is looked for among so many newest commits.
PREFIX_SEARCH = 2000
SHORTEST_PREFIX = 6


class NothingPublished(CouldNotLook):
    """The lake has no published commit yet."""


class NoSuchHash(InvalidInput):
    """`main` has no such commit, or it holds no published data."""


class HashExpired(InvalidInput):
    """The commit exists, but its files may be gone."""


@dataclass(frozen=True)
class PublishedCommit:
    """One published state of all tables.

    `at`: when it was merged, UTC. `gtid`, `beat_us`: None while no heartbeat has reached the lake.
    `snapshots`: table → snapshot id, the same in Paimon and in Iceberg. `readable_until`: its data files stay
    at least until then.
    """

    hash: str
    at: datetime
    checkpoint: int
    gtid: str | None
    beat_us: int | None
    snapshots: Mapping[str, int]
    readable_until: datetime

    def is_readable(self, now: datetime | None = None) -> bool:
        """True while every file of it is promised to be there."""
        return (now or datetime.now(UTC)) < self.readable_until

    def as_json(self) -> dict[str, object]:
        """The shape of `lake log --json`."""
        return {
            "hash": self.hash,
            "at": self.at.isoformat(),
            "checkpoint": self.checkpoint,
            "tables": dict(self.snapshots),
            "gtid": self.gtid,
            "beat_us": self.beat_us,
            "readable_until": self.readable_until.isoformat(),
        }


def properties_of(
    checkpoint: int, gtid: str | None, beat_us: int | None, snapshots: Mapping[str, int]
) -> dict[str, str]:
    """The commit properties of a published state; `read_commit` is its inverse."""
    properties = {CHECKPOINT: str(checkpoint)}
    if gtid is not None:
        properties[GTID] = gtid
    if beat_us is not None:
        properties[BEAT_US] = str(beat_us)
    return properties | {f"{SNAPSHOT}{table}": str(snapshot) for table, snapshot in snapshots.items()}


def read_commit(commit: Commit, readable_seconds: float) -> PublishedCommit | None:
    """The published state that a commit carries; None for other commits (a namespace, a person's)."""
    properties = commit.properties
    if CHECKPOINT not in properties:
        return None
    snapshots = {
        key.removeprefix(SNAPSHOT): int(value) for key, value in properties.items() if key.startswith(SNAPSHOT)
    }
    return PublishedCommit(
        hash=commit.hash,
        at=commit.at.astimezone(UTC),
        checkpoint=int(properties[CHECKPOINT]),
        gtid=properties.get(GTID),
        beat_us=int(properties[BEAT_US]) if BEAT_US in properties else None,
        snapshots=dict(sorted(snapshots.items())),
        readable_until=commit.at.astimezone(UTC) + timedelta(seconds=readable_seconds),
    )


def log(stack: Stack, limit: int = 20) -> list[PublishedCommit]:
    """The newest `limit` published commits of `main`, newest first; empty before the first one.

    Raises: CouldNotLook where Nessie does not answer.
    """
    with _Looking(stack) as nessie:
        commits = nessie.history(MAIN, limit + 20)
        return [found for commit in commits if (found := _read(stack, commit)) is not None][:limit]


def newest(stack: Stack) -> PublishedCommit:
    """The newest published commit of `main`.

    Raises: NothingPublished before the first one; CouldNotLook where Nessie does not answer.
    """
    found = log(stack, 1)
    if not found:
        raise NothingPublished(
            "nothing was published yet", where="lake", next_action="wait for the first checkpoint; lakeproof ps"
        )
    return found[0]


def find(stack: Stack, hash_or_prefix: str, *, readable: bool = False) -> PublishedCommit:
    """The published commit of `main` with that hash, or with a unique prefix of it among the recent ones.

    readable: refuse one whose files may be gone.
    Raises: NoSuchHash, HashExpired; CouldNotLook where Nessie does not answer.
    """
    wanted = hash_or_prefix.strip().lower()
    if len(wanted) < SHORTEST_PREFIX or any(letter not in "0123456789abcdef" for letter in wanted):
        raise NoSuchHash(
            f"{hash_or_prefix!r} is not a hash (hexadecimal, at least {SHORTEST_PREFIX} digits)",
            where="lake",
            next_action="lakeproof lake log shows them",
        )
    found = _find_whole(stack, wanted) if len(wanted) >= 64 else _find_prefix(stack, wanted)
    if readable and not found.is_readable() and found.hash != newest(stack).hash:
        raise HashExpired(
            f"hash {found.hash[:16]} was readable until {found.readable_until:%Y-%m-%d %H:%M:%S} UTC "
            f"(lake.readable_seconds = {stack.settings.lake.readable_seconds})",
            where="lake",
            next_action="take a newer one: lakeproof lake log",
        )
    return found


def _find_whole(stack: Stack, wanted: str) -> PublishedCommit:
    with _Looking(stack) as nessie:
        try:
            commits = list(nessie.history(MAIN, 1, at_hash=wanted))
        except (NoSuchReference, InvalidInput) as error:
            raise _no_such(wanted) from error
        found = _read(stack, commits[0]) if commits and commits[0].hash == wanted else None
    if found is None:
        raise _no_such(wanted)
    return found


def _find_prefix(stack: Stack, wanted: str) -> PublishedCommit:
    matches = []
    with _Looking(stack) as nessie:
        for commit in nessie.history(MAIN, PREFIX_SEARCH):
            if commit.hash.startswith(wanted) and (found := _read(stack, commit)) is not None:
                matches.append(found)
    if len(matches) > 1:
        raise NoSuchHash(
            f"{wanted} is the beginning of {len(matches)} hashes", where="lake", next_action="add digits"
        )
    if not matches:
        raise _no_such(wanted)
    return matches[0]


def _no_such(wanted: str) -> NoSuchHash:
    return NoSuchHash(
        f"no published commit {wanted} on main", where="lake", next_action="lakeproof lake log shows them"
    )


def _read(stack: Stack, commit: Commit) -> PublishedCommit | None:
    return read_commit(commit, stack.settings.lake.readable_seconds)


class _Looking:
    """A Nessie client whose silence is "could not look"."""

    def __init__(self, stack: Stack) -> None:
        self._client = client_of(stack)

    def __enter__(self) -> NessieClient:
        return self._client

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._client.close()
        if isinstance(error, NessieUnreachable):
            raise CouldNotLook(error.what, where=error.where, next_action=error.next_action) from error

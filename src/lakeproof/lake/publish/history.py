"""What was published: the commits on `main`, looked up and read back."""

from itertools import takewhile

from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.lake.nessie import WHOLE_HISTORY, NessieClient, NessieUnreachable, NoSuchReference, client_of
from lakeproof.lake.nessie_commit import Commit
from lakeproof.lake.publish.commit import LOOKED_THROUGH, PublishedCommit, read_commit, strangers_commit
from lakeproof.stack.stack import Stack

MAIN = "main"
INGEST = "ingest"

# A prefix of a hash is looked for among this many newest commits.
PREFIX_SEARCH = 2000
SHORTEST_PREFIX = 6


class NothingPublished(CouldNotLook):
    """The lake has no published commit yet."""


class NoSuchHash(InvalidInput):
    """`main` has no such commit, or it holds no published data."""


class HashExpired(InvalidInput):
    """The commit exists, but its files may be gone."""


def log(stack: Stack, limit: int = 20, *, down_to: str = "") -> list[PublishedCommit]:
    """The newest `limit` published commits of `main`, newest first; empty before the first one.

    down_to: the hash of the commit that ends the list, where it is among them.
    Raises: CouldNotLook where Nessie does not answer.
    """
    found: list[PublishedCommit] = []
    with Looking(stack) as nessie:
        # Any number of somebody else's commits may lie above the published ones and between them.
        for commit in nessie.history(MAIN, WHOLE_HISTORY, at_a_time=limit + 20):
            if (published := _read(stack, commit)) is not None:
                found.append(published)
            if commit.hash == down_to or len(found) >= limit:
                break
    return found


def since(stack: Stack, after: str) -> list[PublishedCommit]:
    """What was published after the commit with that hash, oldest first.

    Raises: NoSuchHash where it is not among the newest commits of `main`; CouldNotLook where Nessie does not answer.
    """
    found: list[PublishedCommit] = []
    with Looking(stack) as nessie:
        for commit in nessie.history(MAIN, PREFIX_SEARCH):
            if commit.hash == after:
                return found[::-1]
            if (published := _read(stack, commit)) is not None:
                found.append(published)
    raise _no_such(after)


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


def written_above(stack: Stack, published: str) -> Commit | None:
    """The newest commit on `main` that is not ours, above the published commit with that hash; None where none is.

    `main` shows what somebody else wrote there, and the hash does not. The commits of `lake merge` and `lake
    rollback` are ours. Raises: CouldNotLook where Nessie does not answer.
    """
    with Looking(stack) as nessie:
        above = takewhile(lambda commit: commit.hash != published, nessie.history(MAIN, LOOKED_THROUGH))
        return strangers_commit(above)


def hash_digits(text: str) -> str:
    """The text as the digits of a hash, or of the beginning of one. Raises: NoSuchHash for what can be neither."""
    digits = text.strip().lower()
    if len(digits) < SHORTEST_PREFIX or any(letter not in "0123456789abcdef" for letter in digits):
        raise NoSuchHash(
            f"{text!r} is not a hash (hexadecimal, at least {SHORTEST_PREFIX} digits)",
            where="lake",
            next_action="lakeproof lake log shows them",
        )
    return digits


def find(stack: Stack, hash_or_prefix: str, *, readable: bool = False) -> PublishedCommit:
    """The published commit of `main` with that hash, or with a unique prefix of it among the recent ones.

    readable: refuse one whose files may be gone.
    Raises: NoSuchHash, HashExpired; CouldNotLook where Nessie does not answer.
    """
    wanted = hash_digits(hash_or_prefix)
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
    with Looking(stack) as nessie:
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
    with Looking(stack) as nessie:
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


class Looking:
    """A Nessie client whose NessieUnreachable becomes CouldNotLook."""

    def __init__(self, stack: Stack) -> None:
        self._client = client_of(stack)

    def __enter__(self) -> NessieClient:
        return self._client

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._client.close()
        if isinstance(error, NessieUnreachable):
            raise CouldNotLook(error.what, where=error.where, next_action=error.next_action) from error

"""`main` set right by hand: what others did to it is taken back, or a branch is brought in after an audit.

Only the publisher is to move `main`. Where somebody else writes a table there, Nessie refuses the next merge that
moves this table. It accepts a merge that does not, which leaves the table as that person set it. So the publisher
looks for a commit that is not ours, and stops. Where somebody points `main` elsewhere, the publisher refuses to go on
as well (publisher.py), for the hashes that it published would no longer be in main's history.

`backup` is the branch of the last state that a full audit found whole: the publisher moves it after each clean one.
"""

import contextlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import httpx

from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.lake.nessie import (
    IcebergTable,
    NessieClient,
    NessieConflict,
    NessieUnreachable,
    NoSuchReference,
    NothingToMerge,
    Reference,
    client_of,
)
from lakeproof.lake.nessie_commit import OURS
from lakeproof.lake.publish.audit import AuditFailed, QuickAudit, TableState
from lakeproof.lake.publish.commit import (
    BY_HAND,
    HELD,
    LOOKED_THROUGH,
    DatabaseState,
    author_of,
    is_made_ready,
    is_ours,
    made_onto,
    newest_states,
    properties_of,
    strangers_commit,
)
from lakeproof.lake.publish.history import INGEST, MAIN, PREFIX_SEARCH
from lakeproof.lake.publish.manifests import ManifestReader, MissingFile
from lakeproof.lake.publish.metadata import current_snapshot, read_metadata
from lakeproof.lake.publish.snapshots import get_object
from lakeproof.stack import loopback
from lakeproof.stack.object_store import bucket_and_key, s3_client
from lakeproof.stack.stack import Stack

BACKUP = "backup"
SET_ASIDE = "set-aside-"
# A published state is looked for among this many newest commits of a branch.
STATE_SEARCH = 200
# How long to wait for the publisher: on a full machine it answers late, and what it merged must not be passed over.
ASK_SECONDS = 15.0


@dataclass(frozen=True)
class RolledBack:
    """hash: main's new head. set_aside: the tag on the commit that `main` showed before."""

    hash: str
    set_aside: str


def last_merge(stack: Stack) -> str | None:
    """The hash that the running publisher merged last, as it tells; None where it merged nothing yet, or none runs.

    Raises: CouldNotLook where a publisher listens and does not tell: `main` would lose what it merged last.
    """
    try:
        told = loopback.get(f"{stack.url('publisher')}/health", timeout=ASK_SECONDS).json().get("hash")
    except httpx.ConnectError:
        return None
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        raise CouldNotLook(
            f"it runs, and does not tell what it merged last ({type(error).__name__})",
            where="publisher",
            next_action="lakeproof diagnose; the same again once it answers",
        ) from error
    return str(told) if told else None


def shown_before(nessie: NessieClient) -> str | None:
    """main's head when the newest commit was made on `ingest`; None where no commit tells it. A publisher that was
    started anew goes by that hash, and at most one merge is newer. Raises: NessieUnreachable.
    """
    try:
        return made_onto(nessie.history(INGEST, LOOKED_THROUGH))
    except NoSuchReference:
        return None


def roll_back(stack: Stack) -> RolledBack | None:
    """Set `main` back to the last state that was published; None where nobody else touched it.

    Where a commit that is not ours lies below that state, the content of `ingest` is brought in upon it. A `main`
    that was set to `backup` by hand goes back as well, to what was published before.
    What `main` showed until now stays in Nessie, under a tag, for whoever wants to know what was done.
    Raises: InvalidInput where no published state is known; NessieConflict where `main` moves meanwhile;
    NessieUnreachable; as `last_merge` and `bring_in`.
    """
    nessie = client_of(stack)
    try:
        # In this order: a publisher that goes on meanwhile only moves `main` beyond what is known of it.
        merged, backup = last_merge(stack), _backup_of(nessie)
        main = nessie.reference(MAIN)
        wanted = _last_published(nessie, main, backup, merged)
        buried = strangers_commit(nessie.history(MAIN, LOOKED_THROUGH, at_hash=wanted)) is not None
        if wanted == main.hash and not buried:
            return None
        tag = f"{SET_ASIDE}{main.hash[:16]}"
        with contextlib.suppress(NessieConflict):  # from an earlier try
            nessie.create_reference("TAG", tag, main)
        if wanted != main.hash:
            nessie.assign(main, wanted)
        return RolledBack(bring_in(stack, INGEST) if buried else wanted, tag)
    finally:
        nessie.close()


def _last_published(nessie: NessieClient, main: Reference, backup: Reference | None, merged: str | None) -> str:
    """The hash of the last published state: what the publisher merged last, where `main` has lost that. Else the
    newest published state that `main` or `backup` holds. Where the publisher merged nothing yet, `ingest` tells
    whether `main` has lost what it showed. A state that was only made ready on `ingest` does not count, though
    somebody pointed `main` there.
    """
    if merged is not None and not nessie.holds(main.name, merged):
        return merged
    before = shown_before(nessie) if merged is None else None
    if before is not None and not nessie.holds(main.name, before):
        main = replace(main, hash=before)
    known = [
        next(
            (
                commit
                for commit in nessie.history(each.name, PREFIX_SEARCH, at_hash=each.hash)
                if is_ours(commit) and HELD not in commit.properties and not is_made_ready(commit)
            ),
            None,
        )
        for each in (main, backup)
        if each is not None
    ]
    published = [commit for commit in known if commit is not None]
    if not published:
        raise InvalidInput("nothing that was published is known", where=MAIN, next_action="lakeproof lake log")
    return max(published, key=lambda commit: commit.at).hash


def _backup_of(nessie: NessieClient) -> Reference | None:
    try:
        return nessie.reference(BACKUP)
    except NoSuchReference:
        return None


def keep_as_backup(nessie: NessieClient, published: str) -> None:
    """Move the branch `backup` forward to that published commit of `main`, which a full audit found whole.

    Never to an older state: where somebody pointed `main` back, `backup` is the way to return. Nor to a state only
    made ready on `ingest`, where somebody pointed `main` there: its history lacks what `main` showed.
    Raises: NessieConflict where somebody moves it at the same time; NessieUnreachable.
    """
    newer = next(nessie.history(MAIN, 1, at_hash=published))
    if is_made_ready(newer):
        return
    held = _backup_of(nessie)
    if held is None:
        nessie.create_reference("BRANCH", BACKUP, Reference("BRANCH", MAIN, published))
        return
    # Somebody made the branch by hand where it has no commit yet.
    older = next(nessie.history(BACKUP, 1, at_hash=held.hash), None)
    if older is None or newer.at > older.at:
        nessie.assign(held, published)


def author_on_main(nessie: NessieClient) -> str:
    """OURS where main's newest commits are ours, else who wrote the newest other one. Raises: NessieUnreachable."""
    theirs = strangers_commit(nessie.history(MAIN, LOOKED_THROUGH))
    return OURS if theirs is None else author_of(theirs)


def bring_in(stack: Stack, branch: str) -> str:
    """Have `main` show what `ingest` or `backup` holds, once an audit has seen every file of it; gives the new head.

    Either way `main` shows exactly the branch's tables of all its databases, whatever was done to them. A database
    that the branch does not hold yet stays as `main` shows it; the commit carries its state too where that is whole.
    From `ingest`: the publisher goes on from there. From `backup`: `main` shows the older state and stays there,
    until `ingest` is brought in, or `main` is rolled back. Nothing is taken out of main's history.
    Raises: InvalidInput for another branch, or one without a published state; AuditFailed; CouldNotLook where the
    store does not answer; NessieConflict where `main` moves meanwhile; NessieUnreachable.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if branch not in (INGEST, BACKUP):
        raise InvalidInput(f"{branch!r} is not brought in", where="lake", next_action=f"one of {INGEST}, {BACKUP}")
    nessie = client_of(stack)
    try:
        main, source = nessie.reference(MAIN), nessie.reference(branch)
        states = _states(nessie, source)
        if not states:
            raise InvalidInput("it holds no published state", where=branch, next_action="lakeproof lake branch")
        tables = {name: nessie.contents(source, name, list(state.snapshots)) for name, state in states.items()}
        s3 = s3_client(stack)
        require_whole(s3, states, tables)
        told = dict(states)
        for name, state in _states(nessie, main).items():
            # A database that the branch does not hold yet stays, whole or not, and must not stand in the way.
            if name not in states:
                with contextlib.suppress(AuditFailed):
                    held = nessie.contents(main, name, list(state.snapshots))
                    require_whole(s3, {name: state}, {name: held})
                    told[name] = state
        properties = properties_of(told) | {BY_HAND: branch}
        message = f"merge {branch} by hand"
        if branch == BACKUP:
            properties |= {HELD: branch}
        main = _put_all(nessie, main, tables, message, properties)
        if branch == INGEST:
            # This merge changes no table. By it Nessie knows what is merged, and judges the publisher's next merge.
            with contextlib.suppress(NothingToMerge):
                main = nessie.merge(source, main, message, properties, over_others=True).head
        return main.hash
    except (BotoCoreError, ClientError) as error:
        raise CouldNotLook(f"no audit: {type(error).__name__}", where="minio", next_action="is it up?") from error
    finally:
        nessie.close()


def _put_all(
    nessie: NessieClient,
    main: Reference,
    tables: Mapping[str, Mapping[str, IcebergTable]],
    message: str,
    properties: Mapping[str, str],
) -> Reference:
    """One commit of all these tables. A merge would leave out what has not changed on the branch lately.

    Nessie accepts a table only with the content id that `main` has of it, and a new table only without an id.
    """
    entries = {}
    for name, wanted in tables.items():
        held = nessie.contents(main, name, list(wanted))
        if not held and not nessie.has_namespace(main, name):
            main = nessie.create_namespace(main, name)
        entries[name] = {
            table: replace(entry, content_id=held[table].content_id if table in held else None)
            for table, entry in wanted.items()
        }
    return nessie.commit_all(main, entries, message, properties)


def _states(nessie: NessieClient, branch: Reference) -> dict[str, DatabaseState]:
    """The states that the branch's newest published commit carries; empty where there is none."""
    return newest_states(nessie.history(branch.name, STATE_SEARCH, at_hash=branch.hash))


def require_whole(s3: object, states: dict[str, DatabaseState], tables: dict[str, dict[str, IcebergTable]]) -> None:
    """The audit before a branch is brought in: each table is at the snapshot that its commit tells, and every file of
    that snapshot exists. Raises: AuditFailed; botocore's errors.
    """
    with ThreadPoolExecutor(6, thread_name_prefix="audit") as executor:
        QuickAudit(s3, executor).require_files(
            _table_state(s3, name, table, snapshot, tables[name].get(table))
            for name, state in states.items()
            for table, snapshot in state.snapshots.items()
        )


def _table_state(s3: object, database: str, table: str, snapshot: int, held: IcebergTable | None) -> TableState:
    where = f"{database}.{table}@{snapshot}"
    if held is None:
        raise AuditFailed("the branch does not hold the table", where=where)
    text = get_object(s3, bucket_and_key(held.metadata_location)[1])
    if text is None:
        raise AuditFailed(f"{held.metadata_location} is missing", where=where)
    metadata = read_metadata(text)
    current = current_snapshot(metadata)
    if current["snapshot-id"] != snapshot:
        raise AuditFailed(f"the branch shows snapshot {current['snapshot-id']}", where=where)
    try:
        return TableState(metadata, tuple(ManifestReader(s3).live_files(current["manifest-list"])))
    except MissingFile as missing:
        raise AuditFailed(f"{missing} is missing", where=where) from missing


def branches(stack: Stack) -> Iterable[tuple[Reference, dict[str, DatabaseState]]]:
    """Every branch with the newest published states in it. Raises: CouldNotLook where Nessie does not answer."""
    nessie = client_of(stack)
    try:
        found = []
        for reference in nessie.references():
            if reference.kind == "BRANCH":
                states: dict[str, DatabaseState] = {}
                with contextlib.suppress(InvalidInput):  # removed meanwhile, or a name that Nessie does not take
                    states = _states(nessie, reference)
                found.append((reference, states))
        return found
    except NessieUnreachable as error:
        raise CouldNotLook(error.what, where=error.where, next_action=error.next_action) from error
    finally:
        nessie.close()

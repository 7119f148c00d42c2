"""`main` set right by hand: what is taken back, what stays, and which branch may be brought in."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.faults import moved_main, written_main
from lakeproof.lake.nessie import OURS, Commit, IcebergTable, NessieConflict, NoSuchReference, Reference
from lakeproof.lake.publish import main_branch
from lakeproof.lake.publish.audit import AuditFailed
from lakeproof.lake.publish.commit import HELD, properties_of, states_of
from lakeproof.lake.publish.manifests import ManifestReader, MissingFile
from lakeproof.lake.publish.metrics import PublisherMetrics
from lakeproof.lake.publish.publisher import MainMoved, Publisher
from lakeproof.probes import nessie as probes
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

AT = datetime(2026, 11, 26, tzinfo=UTC)


@dataclass
class Nessie:
    """A Nessie in memory: commits by hash, branches and tags by name, each commit's `orders` table."""

    commits: dict[str, Commit] = field(default_factory=dict)
    tables: dict[str, IcebergTable] = field(default_factory=dict)
    names: dict[str, Reference] = field(default_factory=dict)
    merges: list[dict[str, Any]] = field(default_factory=list)

    def publish(self, checkpoint: int, branch: str = "main", **changed: Any) -> str:
        return self.add(branch, checkpoint, properties_of(checkpoint, None, None, {"orders": checkpoint}), **changed)

    def add(self, branch: str, snapshot: int, properties: Mapping[str, str], author: str = OURS) -> str:
        name = f"{len(self.commits):016x}"
        held = self.names.get(branch)
        parent = held.hash if held else None
        at = AT + timedelta(seconds=len(self.commits))
        self.commits[name] = Commit(name, parent, at, f"commit {snapshot}", dict(properties), author)
        self.tables[name] = IcebergTable(f"s3://lake/orders-{snapshot}", snapshot, 0, 0, 0, "id of orders")
        self.names[branch] = Reference("BRANCH", branch, name)
        return name

    def close(self) -> None: ...

    def reference(self, name: str) -> Reference:
        if name not in self.names:
            raise NoSuchReference("not found", where=name)
        return self.names[name]

    def references(self) -> list[Reference]:
        return list(self.names.values())

    def create_reference(self, kind: Any, name: str, source: Reference) -> Reference:
        if name in self.names:
            raise NessieConflict("taken", where=name)
        self.names[name] = Reference(kind, name, source.hash)
        return self.names[name]

    def assign(self, branch: Reference, to_hash: str) -> Reference:
        if self.names[branch.name].hash != branch.hash:
            raise NessieConflict("moved", where=branch.name)
        self.names[branch.name] = replace(branch, hash=to_hash)
        return self.names[branch.name]

    def history(self, name: str, limit: int, *, at_hash: str | None = None) -> Iterator[Commit]:
        lineage: list[Commit] = []
        found: str | None = self.reference(name).hash
        while found is not None:
            lineage.append(self.commits[found])
            found = self.commits[found].parent
        hashes = [commit.hash for commit in lineage]
        if at_hash is not None and at_hash not in hashes:
            raise NoSuchReference("not found", where=at_hash)
        yield from lineage[hashes.index(at_hash) if at_hash else 0 :][:limit]

    def holds(self, name: str, commit: str, limit: int = 1000) -> bool:
        return any(one.hash == commit for one in self.history(name, limit))

    def content_ids(self, reference: Reference, namespace: str, tables: Sequence[str]) -> dict[str, IcebergTable]:
        return {"orders": self.tables[reference.hash]}

    def commit_tables(
        self, branch: Reference, namespace: str, tables: Any, message: str, properties: Any, author: str = OURS
    ) -> Reference:
        return self.commit_all(branch, {namespace: tables}, message, properties, author)

    def commit_all(
        self, branch: Reference, tables: Any, message: str, properties: Any, author: str = OURS
    ) -> Reference:
        name = self.add(branch.name, tables["oltp"]["orders"].snapshot_id, properties, author)
        self.tables[name] = tables["oltp"]["orders"]
        return self.names[branch.name]

    def merge(
        self, source: Reference, target: Reference, message: str, properties: Any, *, over_others: bool = False
    ) -> Reference:
        self.merges.append({"from": source.name, "properties": properties, "over_others": over_others})
        self.add(target.name, self.tables[source.hash].snapshot_id, properties)
        return self.names[target.name]


class Body:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self) -> bytes:
        return self.content


class Store:
    """Holds the metadata of snapshots 1 to 9 of `orders`, whose manifest lists name no file."""

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        snapshot = int(Key.rpartition("-")[2])
        entry = {"snapshot-id": snapshot, "manifest-list": "s3://lake/none"}
        text = json.dumps({"current-snapshot-id": snapshot, "snapshots": [entry]})
        return {"Body": Body(text.encode())}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path))


@pytest.fixture
def nessie(monkeypatch: pytest.MonkeyPatch) -> Nessie:
    """Seven published states on `main`; the running publisher merged the last of them."""
    made = Nessie()
    for checkpoint in range(1, 8):
        last = made.publish(checkpoint)
    made.publish(7, "ingest")
    for module in (main_branch, written_main, moved_main, probes):
        monkeypatch.setattr(module, "client_of", lambda *_: made)
    monkeypatch.setattr(main_branch, "last_merge", lambda stack: last)
    monkeypatch.setattr(probes, "get_json", lambda url, timeout: {"hash": last})
    monkeypatch.setattr(main_branch, "s3_client", lambda stack: Store())
    monkeypatch.setattr(ManifestReader, "live_files", lambda self, uri: [])
    return made


def head(nessie: Nessie) -> str:
    return nessie.names["main"].hash


def test_nothing_is_rolled_back_where_nobody_else_touched_main(stack: Stack, nessie: Nessie) -> None:
    before = dict(nessie.names)
    assert main_branch.roll_back(stack) is None
    assert nessie.names == before


def test_a_publisher_that_goes_on_meanwhile_is_not_rolled_back(
    stack: Stack, nessie: Nessie, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = nessie.reference

    def publishes(name: str) -> Reference:
        found = read(name)
        if name == "main":
            nessie.publish(8)
        return found

    monkeypatch.setattr(nessie, "reference", publishes)
    assert main_branch.roll_back(stack) is None
    assert nessie.commits[head(nessie)].message == "commit 8"


def test_what_somebody_wrote_is_taken_back_and_kept_under_a_tag(stack: Stack, nessie: Nessie) -> None:
    published = head(nessie)
    arguments = written_main.WrittenMain()
    for _ in range(2):
        written_main.inject(stack, arguments)
    theirs = head(nessie)
    assert nessie.commits[theirs].parent == published
    assert nessie.tables[theirs].snapshot_id == 4
    assert written_main.sign(stack, arguments).holds
    assert probes.main_author(stack, 1.0) == "somebody"
    done = main_branch.roll_back(stack)
    assert done is not None
    assert head(nessie) == done.hash == published
    assert nessie.names[done.set_aside] == Reference("TAG", done.set_aside, theirs)
    assert probes.main_author(stack, 1.0) == OURS
    assert not written_main.sign(stack, arguments).holds


def test_main_that_was_pointed_elsewhere_gets_every_published_hash_back(stack: Stack, nessie: Nessie) -> None:
    published, arguments = head(nessie), moved_main.MovedMain(publishes=3)
    for _ in range(2):
        moved_main.inject(stack, arguments)
    assert nessie.commits[head(nessie)].message == "commit 4"
    assert moved_main.sign(stack, arguments).holds
    moved_main.remove(stack, arguments)
    assert head(nessie) == published
    assert not moved_main.sign(stack, arguments).holds


def test_a_publisher_that_was_started_anew_knows_the_way_back_by_the_branch_backup(
    stack: Stack, nessie: Nessie, monkeypatch: pytest.MonkeyPatch
) -> None:
    main_branch.keep_as_backup(nessie, head(nessie))  # type: ignore[arg-type]
    published = head(nessie)
    moved_main.inject(stack, moved_main.MovedMain())
    monkeypatch.setattr(main_branch, "last_merge", lambda stack: None)
    main_branch.roll_back(stack)
    assert head(nessie) == published


def test_backup_moves_forward_and_never_back(nessie: Nessie) -> None:
    first = head(nessie)
    main_branch.keep_as_backup(nessie, first)  # type: ignore[arg-type]
    second = nessie.publish(8)
    main_branch.keep_as_backup(nessie, second)  # type: ignore[arg-type]
    assert nessie.names["backup"].hash == second
    nessie.assign(nessie.names["main"], first)
    main_branch.keep_as_backup(nessie, first)  # type: ignore[arg-type]
    assert nessie.names["backup"].hash == second
    third = nessie.publish(9)
    main_branch.keep_as_backup(nessie, third)  # type: ignore[arg-type]
    assert nessie.names["backup"].hash == third


def test_main_stays_where_it_is_newer_than_a_backup_that_it_has_lost(
    stack: Stack, nessie: Nessie, monkeypatch: pytest.MonkeyPatch
) -> None:
    main_branch.keep_as_backup(nessie, head(nessie))  # type: ignore[arg-type]
    nessie.assign(nessie.names["main"], nessie.commits[head(nessie)].parent or "")
    newer = nessie.publish(9)
    monkeypatch.setattr(main_branch, "last_merge", lambda stack: newer)
    assert main_branch.roll_back(stack) is None
    assert head(nessie) == newer


def test_ingest_is_merged_over_what_others_changed(stack: Stack, nessie: Nessie) -> None:
    written_main.inject(stack, written_main.WrittenMain())
    ready = nessie.commits[nessie.publish(9, "ingest")].at
    main_branch.bring_in(stack, "ingest")
    (merged,) = nessie.merges
    assert merged["over_others"] and merged["from"] == "ingest"
    (state,) = states_of(nessie.commits[head(nessie)]).values()
    assert (state.checkpoint, state.at) == (9, ready)


def test_backup_is_shown_until_ingest_is_merged(stack: Stack, nessie: Nessie) -> None:
    main_branch.keep_as_backup(nessie, head(nessie))  # type: ignore[arg-type]
    newer = nessie.publish(8)
    main_branch.bring_in(stack, "backup")
    assert nessie.commits[head(nessie)].parent == newer
    assert nessie.tables[head(nessie)].snapshot_id == 7
    publisher = Publisher(Store(), nessie, PublisherMetrics())  # type: ignore[arg-type]
    with pytest.raises(AuditFailed, match="lake merge --from ingest"):
        publisher._read_head()
    main_branch.bring_in(stack, "ingest")
    assert publisher._read_head().main.hash == head(nessie)
    assert HELD not in nessie.commits[head(nessie)].properties


def test_a_branch_that_does_not_hold_what_it_says_is_refused(stack: Stack, nessie: Nessie) -> None:
    before = head(nessie)
    nessie.tables[nessie.names["ingest"].hash] = nessie.tables[nessie.commits[before].parent or ""]
    with pytest.raises(AuditFailed, match="shows snapshot 6"):
        main_branch.bring_in(stack, "ingest")
    assert head(nessie) == before


def test_a_branch_with_a_missing_file_is_refused(
    stack: Stack, nessie: Nessie, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: object, uri: str) -> list[object]:
        raise MissingFile(uri)

    monkeypatch.setattr(ManifestReader, "live_files", gone)
    with pytest.raises(AuditFailed, match="s3://lake/none is missing"):
        main_branch.bring_in(stack, "ingest")


def test_no_other_branch_is_brought_in(stack: Stack, nessie: Nessie) -> None:
    with pytest.raises(InvalidInput, match="one of ingest, backup"):
        main_branch.bring_in(stack, "somebodys")


def test_a_publisher_does_not_go_on_where_main_has_lost_its_last_merge(nessie: Nessie) -> None:
    publisher = Publisher(Store(), nessie, PublisherMetrics())  # type: ignore[arg-type]
    publisher._merged = head(nessie)
    publisher._read_head()
    nessie.assign(nessie.names["main"], nessie.commits[head(nessie)].parent or "")
    with pytest.raises(MainMoved, match="lake rollback"):
        publisher._read_head()


def test_branches_are_told_with_what_they_hold(stack: Stack, nessie: Nessie) -> None:
    nessie.create_reference("TAG", "a-tag", nessie.names["main"])
    nessie.add("empty", 1, {})
    told = {reference.name: states.get("oltp") for reference, states in main_branch.branches(stack)}
    assert set(told) == {"main", "ingest", "empty"}
    assert told["main"] is not None and told["main"].checkpoint == 7
    assert told["empty"] is None

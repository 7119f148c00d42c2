"""`main` set right by hand: what is taken back, what stays, and which branch may be brought in."""

import json
import socket
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.conftest import Answering
from tests.doubles.nessie import AT, NO_COMMIT
from tests.doubles.nessie import Nessie as InMemory

from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.lake.nessie import (
    IcebergTable,
    Reference,
)
from lakeproof.lake.nessie_commit import OURS
from lakeproof.lake.publish import history, main_branch, tags
from lakeproof.lake.publish.audit import AuditFailed
from lakeproof.lake.publish.commit import ONTO, DatabaseState, properties_of, states_of
from lakeproof.lake.publish.cut import Cut
from lakeproof.lake.publish.main_branch import last_merge
from lakeproof.lake.publish.manifests import ManifestReader, MissingFile
from lakeproof.lake.publish.metrics import PublisherMetrics
from lakeproof.lake.publish.publisher import MainMoved, MainWritten, Publisher
from lakeproof.lake.publish.snapshots import Kind, Snapshot
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.probes import nessie as probes
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.lake_commit_failure import faults, wrong_fixes

TABLES = ("orders", "items")
OF_SHOP = ("payments", "cases")


def table_at(name: str, snapshot: int) -> IcebergTable:
    return IcebergTable(f"s3://lake/{name}-{snapshot}", snapshot, 0, 0, 0, f"id of {name}")


class Nessie(InMemory):
    """One that the publisher publishes to."""

    def publish(self, checkpoint: int, branch: str = "main", moved: Sequence[str] = TABLES) -> str:
        """As the publisher does, of a checkpoint that moved these tables. On `ingest`: as if killed then."""
        ingest = self.names["ingest"].hash
        source, own = (OLTP, TABLES) if set(moved) <= set(TABLES) else (SHOP, OF_SHOP)
        shown = self.tables[ingest] | {f"{source.name}.{name}": table_at(name, checkpoint) for name in moved}
        named = {name: shown.get(f"{source.name}.{name}") for name in own}
        snapshots = {name: table.snapshot_id for name, table in named.items() if table is not None}
        state = DatabaseState(checkpoint, None, None, snapshots, AT)
        states = {**states_of(self.commits[ingest]), source.name: state}
        properties = properties_of(states, source.name) | {ONTO: self.names["main"].hash}
        message = f"commit {checkpoint}"
        ready = self.add("ingest", shown, properties, message=message)
        if branch == "ingest":
            return ready
        return self.merge(self.names["ingest"], self.names["main"], message, properties).head.hash


class Body:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self) -> bytes:
        return self.content


class Store:
    """Holds the metadata of every snapshot of every table, whose manifest lists name no file."""

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        snapshot = int(Key.rpartition("-")[2])
        entry = {"snapshot-id": snapshot, "manifest-list": "s3://lake/none"}
        text = json.dumps({"current-snapshot-id": snapshot, "snapshots": [entry]})
        return {"Body": Body(text.encode())}


@pytest.fixture
def nessie(monkeypatch: pytest.MonkeyPatch) -> Nessie:
    """Seven published states on `main`; the running publisher merged the last of them."""
    made = Nessie()
    for branch in ("main", "ingest"):
        made.add(branch, {}, {}, message="create namespace oltp")
    for checkpoint in range(1, 8):
        last = made.publish(checkpoint)
    for module in (main_branch, faults, faults, wrong_fixes, probes):
        monkeypatch.setattr(module, "client_of", lambda *_: made)
    monkeypatch.setattr(main_branch, "last_merge", lambda stack: last)
    monkeypatch.setattr(probes, "get_json", lambda url, timeout: {"hash": last})
    monkeypatch.setattr(main_branch, "s3_client", lambda stack: Store())
    monkeypatch.setattr(ManifestReader, "live_files", lambda self, uri: [])
    return made


def head(nessie: Nessie) -> str:
    return nessie.names["main"].hash


def shown(nessie: Nessie, branch: str = "main") -> dict[str, int]:
    return of_tables(nessie, nessie.names[branch].hash)


def of_tables(nessie: Nessie, commit: str) -> dict[str, int]:
    """Table → its snapshot at that commit, of both databases."""
    return {name.partition(".")[2]: table.snapshot_id for name, table in nessie.tables[commit].items()}


def publisher_of(nessie: Nessie) -> Publisher:
    return Publisher(Store(), nessie, PublisherMetrics())  # type: ignore[arg-type]


def test_nothing_is_rolled_back_where_nobody_else_touched_main(stack: Stack, nessie: Nessie) -> None:
    before = dict(nessie.names)
    assert main_branch.roll_back(stack) is None
    assert nessie.names == before


def test_a_publisher_that_goes_on_meanwhile_is_not_rolled_back(
    stack: Stack, nessie: Nessie, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, checkpoints = nessie.reference, count(8)

    def publishes(name: str) -> Reference:
        found = read(name)
        if name == "main":
            nessie.publish(next(checkpoints))
        return found

    monkeypatch.setattr(nessie, "reference", publishes)
    assert main_branch.roll_back(stack) is None
    assert shown(nessie) == shown(nessie, "ingest") != {"orders": 7, "items": 7}


def test_what_somebody_wrote_is_taken_back_and_kept_under_a_tag(stack: Stack, nessie: Nessie) -> None:
    published = head(nessie)
    arguments = faults.WrittenMain()
    for _ in range(2):
        arguments.inject(stack)
    theirs = head(nessie)
    assert nessie.commits[theirs].parent == published
    assert shown(nessie) == {"orders": 4, "items": 7}
    assert arguments.sign(stack).holds
    assert probes.main_author(stack, 1.0) == "somebody"
    done = main_branch.roll_back(stack)
    assert done is not None
    assert head(nessie) == done.hash == published
    assert nessie.names[done.set_aside] == Reference("TAG", done.set_aside, theirs)
    assert probes.main_author(stack, 1.0) == OURS
    assert not arguments.sign(stack).holds


def test_main_that_was_pointed_elsewhere_gets_every_published_hash_back(stack: Stack, nessie: Nessie) -> None:
    published, arguments = head(nessie), faults.MovedMain(publishes=3)
    for _ in range(2):
        arguments.inject(stack)
    assert nessie.commits[head(nessie)].message == "commit 4"
    assert arguments.sign(stack).holds
    arguments.remove(stack)
    assert head(nessie) == published
    assert not arguments.sign(stack).holds


def test_main_is_pointed_elsewhere_though_the_publisher_moves_it_meanwhile(
    stack: Stack, nessie: Nessie, monkeypatch: pytest.MonkeyPatch
) -> None:
    assign, checkpoints = nessie.assign, iter([8, 9])

    def is_late(branch: Reference, to_hash: str) -> Reference:
        for checkpoint in checkpoints:
            nessie.publish(checkpoint)
            break
        return assign(branch, to_hash)

    monkeypatch.setattr(nessie, "assign", is_late)
    faults.MovedMain(publishes=3).inject(stack)
    assert nessie.commits[head(nessie)].message == "commit 6"


def test_a_publisher_that_was_started_anew_knows_the_way_back_by_the_branch_backup(
    stack: Stack, nessie: Nessie, monkeypatch: pytest.MonkeyPatch
) -> None:
    main_branch.keep_as_backup(nessie, head(nessie))  # type: ignore[arg-type]
    published = head(nessie)
    faults.MovedMain().inject(stack)
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


def test_a_backup_that_somebody_made_where_there_is_no_commit_yet_moves_forward_too(nessie: Nessie) -> None:
    nessie.names["backup"] = Reference("BRANCH", "backup", NO_COMMIT)
    main_branch.keep_as_backup(nessie, head(nessie))  # type: ignore[arg-type]
    assert nessie.names["backup"].hash == head(nessie)


def test_main_that_was_pointed_at_ingest_gets_its_history_back_however_often_one_asks(
    stack: Stack, nessie: Nessie
) -> None:
    """What is ready on `ingest` is newer than what was published last, and looks like it but for its parents."""
    published = head(nessie)
    main_branch.keep_as_backup(nessie, published)  # type: ignore[arg-type]
    ready = nessie.publish(8, "ingest")
    wrong_fixes.PointMainAtIngest().run(stack)
    assert head(nessie) == ready
    main_branch.keep_as_backup(nessie, ready)  # type: ignore[arg-type]
    assert nessie.names["backup"].hash == published, "an audit that found it whole is no reason"
    with pytest.raises(MainMoved):
        publisher_of(nessie)._read_head()
    for _ in range(2):
        wrong_fixes.PointMainAtIngest().undo(stack)
        assert head(nessie) == published


@pytest.mark.parametrize("buried", [False, True])
def test_a_table_that_somebody_dropped_comes_back_by_a_rollback_alone(
    stack: Stack, nessie: Nessie, buried: bool
) -> None:
    """The publisher stops at that commit, as at the one before. buried: it had published once upon that one."""
    faults.WrittenMain().inject(stack)
    if buried:
        nessie.publish(8, moved=["items"])
    left = {name: table for name, table in nessie.tables[head(nessie)].items() if name != "oltp.orders"}
    nessie.add("main", left, {}, wrong_fixes.AUTHOR, "drop orders")
    with pytest.raises(MainWritten, match="somebody wrote"):
        publisher_of(nessie)._read_head()
    for _ in range(2):
        wrong_fixes.DropTable().undo(stack)
        assert shown(nessie) == shown(nessie, "ingest")
        assert publisher_of(nessie)._read_head().main.hash == head(nessie)
    nessie.publish(9)
    assert shown(nessie) == {"orders": 9, "items": 9}


def test_a_backup_that_was_moved_to_ingest_is_no_way_back(stack: Stack, nessie: Nessie) -> None:
    """By an earlier version, whose audit looked while somebody had pointed `main` there."""
    published = head(nessie)
    nessie.names["backup"] = Reference("BRANCH", "backup", nessie.publish(8, "ingest"))
    assert main_branch.roll_back(stack) is None
    assert head(nessie) == published


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
    faults.WrittenMain(table="items").inject(stack)
    ready = nessie.commits[nessie.publish(9, "ingest", moved=["orders"])].at
    main_branch.bring_in(stack, "ingest")
    (state,) = states_of(nessie.commits[head(nessie)]).values()
    assert (state.checkpoint, state.at) == (9, ready)
    assert shown(nessie) == state.snapshots == {"orders": 9, "items": 7}
    assert nessie.commits[nessie.publish(10)].properties["snapshot.items"] == "10"


@pytest.mark.parametrize("moved", [[], ["orders"], TABLES])
def test_backup_is_shown_until_ingest_is_merged(stack: Stack, nessie: Nessie, moved: Sequence[str]) -> None:
    """However much of it Nessie takes for merged already, all of ingest's tables come back."""
    main_branch.keep_as_backup(nessie, head(nessie))  # type: ignore[arg-type]
    newer = nessie.publish(8)
    if moved:
        nessie.publish(9, "ingest", moved)
    main_branch.bring_in(stack, "backup")
    assert nessie.commits[head(nessie)].parent == newer
    assert shown(nessie) == {"orders": 7, "items": 7}
    publisher = publisher_of(nessie)
    with pytest.raises(AuditFailed, match="lake merge --from ingest"):
        publisher._read_head()
    main_branch.bring_in(stack, "ingest")
    for commit in nessie.history("main", 2 if moved else 1):
        (state,) = states_of(commit).values()
        assert of_tables(nessie, commit.hash) == state.snapshots == shown(nessie, "ingest")
    assert publisher._read_head().main.hash == head(nessie)
    nessie.publish(10)
    assert publisher._read_head().main.hash == head(nessie)


def test_what_is_brought_in_by_hand_holds_each_databases_state(stack: Stack, nessie: Nessie) -> None:
    nessie.publish(3, moved=OF_SHOP)
    main_branch.keep_as_backup(nessie, head(nessie))  # type: ignore[arg-type]
    nessie.publish(4, moved=OF_SHOP)
    nessie.publish(8)
    for branch, shop, oltp in (("backup", 3, 7), ("ingest", 4, 8)):
        main_branch.bring_in(stack, branch)
        assert shown(nessie) == dict.fromkeys(TABLES, oltp) | dict.fromkeys(OF_SHOP, shop)
        states = states_of(nessie.commits[head(nessie)])
        assert {name: state.checkpoint for name, state in states.items()} == {"oltp": oltp, "shop": shop}
        published = states_of(nessie.commits[nessie.names[branch].hash])
        assert {name: state.at for name, state in states.items()} == {
            name: state.at for name, state in published.items()
        }
    assert publisher_of(nessie)._read_head().main.hash == head(nessie)


def test_a_database_that_backup_does_not_hold_yet_stays_as_it_is_and_the_hash_tells_of_it(
    stack: Stack, nessie: Nessie
) -> None:
    """The hash showed PostgreSQL's tables and told nothing of them; Flink and the console go by what it tells."""
    main_branch.keep_as_backup(nessie, head(nessie))  # type: ignore[arg-type]
    nessie.publish(3, moved=OF_SHOP)
    nessie.publish(8)
    main_branch.bring_in(stack, "backup")
    assert shown(nessie) == dict.fromkeys(TABLES, 7) | dict.fromkeys(OF_SHOP, 3)
    states = states_of(nessie.commits[head(nessie)])
    assert {name: dict(state.snapshots) for name, state in states.items()} == {
        "oltp": {"items": 7, "orders": 7},
        "shop": {"cases": 3, "payments": 3},
    }


def test_a_database_that_backup_does_not_hold_yet_and_that_is_not_whole_does_not_keep_the_others_from_it(
    stack: Stack, nessie: Nessie
) -> None:
    main_branch.keep_as_backup(nessie, head(nessie))  # type: ignore[arg-type]
    nessie.publish(3, moved=OF_SHOP)
    nessie.publish(8)
    nessie.commit_tables(nessie.names["main"], "shop", {"cases": table_at("cases", 2)}, "", {}, "somebody")
    main_branch.bring_in(stack, "backup")
    assert shown(nessie) == dict.fromkeys(TABLES, 7) | {"cases": 2, "payments": 3}
    assert list(states_of(nessie.commits[head(nessie)])) == ["oltp"]


@pytest.mark.parametrize(("namespace", "table"), [("oltp", "items"), ("shop", "cases")])
def test_what_somebody_wrote_is_put_right_in_whichever_database(
    stack: Stack, nessie: Nessie, namespace: str, table: str
) -> None:
    nessie.publish(3, moved=OF_SHOP)
    before = shown(nessie)
    nessie.commit_tables(nessie.names["main"], namespace, {table: table_at(table, 2)}, "", {}, "somebody")
    nessie.publish(8, moved=["orders"])
    nessie.publish(4, moved=["payments"])
    assert shown(nessie) == before | {table: 2, "orders": 8, "payments": 4}
    with pytest.raises(MainWritten, match=r"somebody wrote"):
        publisher_of(nessie)._read_head()
    main_branch.roll_back(stack)
    assert shown(nessie) == before | {"orders": 8, "payments": 4}
    assert publisher_of(nessie)._read_head().main.hash == head(nessie)


@pytest.mark.parametrize(("namespace", "table"), [("oltp", "orders"), ("shop", "payments")])
def test_a_branch_that_does_not_hold_what_it_says_of_either_database_is_refused(
    stack: Stack, nessie: Nessie, namespace: str, table: str
) -> None:
    before = nessie.publish(3, moved=OF_SHOP)
    nessie.tables[nessie.names["ingest"].hash][f"{namespace}.{table}"] = table_at(table, 2)
    with pytest.raises(AuditFailed, match=f"{table}@. shows|{table}@.: the branch shows snapshot 2"):
        main_branch.bring_in(stack, "ingest")
    assert head(nessie) == before


def test_a_rollback_ends_what_backup_began(stack: Stack, nessie: Nessie) -> None:
    main_branch.keep_as_backup(nessie, head(nessie))  # type: ignore[arg-type]
    newer = nessie.publish(8)
    main_branch.bring_in(stack, "backup")
    main_branch.keep_as_backup(nessie, head(nessie))  # type: ignore[arg-type]
    done = main_branch.roll_back(stack)
    assert done is not None and done.hash == head(nessie) == newer
    assert publisher_of(nessie)._read_head().main.hash == newer
    nessie.publish(9)


def bury(stack: Stack, nessie: Nessie) -> str:
    """Somebody sets `items` back, and a publish follows that does not move it; gives the hash of that publish."""
    faults.WrittenMain(table="items").inject(stack)
    published = nessie.publish(8, moved=["orders"])
    assert shown(nessie) == {"orders": 8, "items": 4}
    return published


def test_what_somebody_wrote_is_found_below_later_publishes(stack: Stack, nessie: Nessie) -> None:
    bury(stack, nessie)
    assert probes.main_author(stack, 1.0) == "somebody"
    with pytest.raises(MainWritten, match=r"somebody wrote .* lake rollback"):
        publisher_of(nessie)._read_head()


@pytest.mark.parametrize("again", [False, True])
def test_a_rollback_puts_right_what_later_publishes_stand_upon(stack: Stack, nessie: Nessie, again: bool) -> None:
    published = bury(stack, nessie)
    if again:
        nessie.commit_tables(nessie.names["main"], "oltp", {"items": table_at("items", 2)}, "", {}, "somebody")
    before = head(nessie)
    done = main_branch.roll_back(stack)
    assert done is not None and done.hash == head(nessie)
    assert nessie.names[done.set_aside].hash == before
    assert shown(nessie) == {"orders": 8, "items": 7}
    assert nessie.holds("main", published)
    assert probes.main_author(stack, 1.0) == OURS
    assert publisher_of(nessie)._read_head().main.hash == head(nessie)
    assert main_branch.roll_back(stack) is None
    nessie.publish(9)


def test_ingest_brought_in_puts_right_what_later_publishes_stand_upon(stack: Stack, nessie: Nessie) -> None:
    bury(stack, nessie)
    main_branch.bring_in(stack, "ingest")
    assert shown(nessie) == {"orders": 8, "items": 7}
    assert main_branch.roll_back(stack) is None


def test_a_publisher_looks_again_where_its_merge_came_upon_anothers_commit(stack: Stack, nessie: Nessie) -> None:
    publisher = publisher_of(nessie)
    before = publisher._read_head()
    cut = Cut(
        8,
        {"orders": Snapshot(8, 8, Kind.APPEND, 0, 1, 8, "job"), "items": Snapshot(7, 7, Kind.APPEND, 0, 1, 7, "job")},
    )
    tables = {"orders": table_at("orders", 8), "items": table_at("items", 7)}
    faults.WrittenMain(table="items").inject(stack)
    publisher._commit(OLTP, before, cut, tables, None)
    assert publisher._head is None
    with pytest.raises(MainWritten):
        publisher._read_head()


def test_a_branch_that_does_not_hold_what_it_says_is_refused(stack: Stack, nessie: Nessie) -> None:
    before = head(nessie)
    nessie.tables[nessie.names["ingest"].hash]["oltp.orders"] = table_at("orders", 6)
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


def test_a_publisher_does_not_go_on_where_main_has_lost_what_it_knew_of(nessie: Nessie) -> None:
    publisher = publisher_of(nessie)
    publisher._read_head()
    nessie.assign(nessie.names["main"], nessie.commits[head(nessie)].parent or "")
    with pytest.raises(MainMoved, match="lake rollback"):
        publisher._read_head()


def test_nor_does_one_that_was_started_anew_and_the_way_back_is_known_without_backup(
    stack: Stack, nessie: Nessie, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart of the publisher is no repair of a `main` that was pointed elsewhere: its next merge buried
    hashes.
    """
    shown_before_the_last_merge = nessie.commits[head(nessie)].parent
    faults.MovedMain(publishes=5).inject(stack)
    monkeypatch.setattr(main_branch, "last_merge", lambda stack: None)
    monkeypatch.setattr(probes, "get_json", lambda url, timeout: {"hash": ""})
    with pytest.raises(MainMoved, match="lake rollback"):
        publisher_of(nessie)._read_head()
    assert probes.last_merge_kept(stack, 1.0) == probes.LOST
    main_branch.roll_back(stack)
    assert head(nessie) == shown_before_the_last_merge
    assert probes.last_merge_kept(stack, 1.0) == probes.KEPT
    assert publisher_of(nessie)._read_head().main.hash == shown_before_the_last_merge


def test_a_publisher_that_runs_and_does_not_answer_is_not_taken_for_one_that_merged_nothing(
    tmp_path: Path, nessie: Nessie, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main_branch, "last_merge", last_merge)
    monkeypatch.setattr(main_branch, "ASK_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        where = {"publisher": {"http": f"127.0.0.1:{hangs.getsockname()[1]}"}}
        stack = Stack(Settings(state_dir=tmp_path, endpoints=where))
        faults.MovedMain(publishes=3).inject(stack)
        moved = head(nessie)
        with pytest.raises(CouldNotLook, match=r"publisher: it runs.*\(ReadTimeout\).*Next: lakeproof diagnose"):
            main_branch.roll_back(stack)
        assert head(nessie) == moved
    # Nobody listens there any more.
    assert last_merge(stack) is None


@pytest.mark.parametrize(("told", "merged"), [({"hash": "ab12"}, "ab12"), ({"hash": None}, None)])
def test_a_publisher_tells_what_it_merged_last_also_where_a_round_hangs(
    tmp_path: Path, answering: Answering, told: dict[str, Any], merged: str | None
) -> None:
    where = {"publisher": {"http": answering(lambda *_: (503, told))}}
    assert last_merge(Stack(Settings(state_dir=tmp_path, endpoints=where))) == merged


def test_what_is_brought_in_on_a_main_that_was_moved_does_not_hide_it(
    stack: Stack, nessie: Nessie, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown_before_the_last_merge = nessie.commits[head(nessie)].parent
    faults.MovedMain(publishes=5).inject(stack)
    monkeypatch.setattr(main_branch, "last_merge", lambda stack: None)
    main_branch.bring_in(stack, "ingest")
    with pytest.raises(MainMoved):
        publisher_of(nessie)._read_head()
    main_branch.roll_back(stack)
    assert head(nessie) == shown_before_the_last_merge
    publisher_of(nessie)._read_head()


def test_a_publisher_goes_on_however_much_another_one_has_merged(nessie: Nessie) -> None:
    publisher = publisher_of(nessie)
    publisher._read_head()
    for checkpoint in range(8, 80):
        nessie.publish(checkpoint)
    assert publisher._read_head().main.hash == publisher._merged == head(nessie)


def test_branches_are_told_with_what_they_hold(stack: Stack, nessie: Nessie) -> None:
    nessie.create_reference("TAG", "a-tag", nessie.names["main"])
    nessie.add("empty", {}, {})
    told = {reference.name: states.get("oltp") for reference, states in main_branch.branches(stack)}
    assert set(told) == {"main", "ingest", "empty"}
    assert told["main"] is not None and told["main"].checkpoint == 7
    assert told["empty"] is None


@pytest.mark.parametrize("name", ["main", "ingest", "backup"])
def test_a_branch_of_the_platform_is_no_name_for_a_state(stack: Stack, name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name}: it is a branch of the platform's own"):
        tags.create_reference(stack, name)


def test_a_tags_name_that_a_branch_has_is_taken_also_at_the_same_state(
    stack: Stack, nessie: Nessie, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = SimpleNamespace(hash=head(nessie))
    monkeypatch.setattr(history, "client_of", lambda *_: nessie)
    monkeypatch.setattr(history, "newest", lambda *_: published)
    for _ in range(2):
        tags.create_reference(stack, "mine", kind="BRANCH")
    assert nessie.names["mine"] == Reference("BRANCH", "mine", published.hash)
    with pytest.raises(InvalidInput, match=r"mine: the name is taken \(branch at"):
        tags.create_reference(stack, "mine")


def test_a_nessie_that_falls_silent_at_a_taken_name_leaves_it_unknown(
    tmp_path: Path, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = answering(lambda method, path, body: (409 if method == "POST" else 503, {"message": ""}))
    monkeypatch.setattr(history, "newest", lambda *_: SimpleNamespace(hash="ab" * 32))
    with pytest.raises(CouldNotLook, match="answered 503"):
        tags.create_reference(Stack(Settings(state_dir=tmp_path, endpoints={"nessie": {"http": url}})), "mine")

"""Rows deleted from the lake's own table: which, by whose SQL, and what is brought back of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from lakeproof.errors import InvalidInput, NotReady
from lakeproof.faults import deleted_lake_rows
from lakeproof.faults.deleted_lake_rows import DeletedLakeRows
from lakeproof.lake.capture import gap
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.sources import mariadb
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

TWO = DeletedLakeRows(rows=2)


class World:
    """The ids that MariaDB has, those that the lake has, and what was done."""

    def __init__(self) -> None:
        self.source, self.lake = [4, 7, 9], {4, 7, 9}
        self.steps: list[str] = []
        self.running = True
        self.refuses = False

    def execute(self, sql: str) -> None:
        self.most = int(sql.rpartition(" ")[2])

    def fetchall(self) -> list[tuple[int]]:
        return [(id_,) for id_ in sorted(self.source)[: self.most]]

    def run(self, sql: str, deadline: object) -> SimpleNamespace:
        named = {int(id_) for id_ in sql.partition("(")[2].rpartition(")")[0].split("(")[-1].split(",")}
        if sql.startswith("DELETE FROM store.oltp.order_items"):
            assert not self.running, "a second writer"
            if self.refuses:
                raise StatementFailed("no", where="flink")
            self.lake -= named
        return SimpleNamespace(rows=((len(self.lake & named),),))

    def bridge(self, stack: Stack, name: str) -> None:
        self.steps.append(f"bridged {name}")
        self.lake = {*self.source}

    def stop(self, *_: object) -> str | None:
        was, self.running = self.running, False
        return "s3://savepoint" if was else None

    def submit(self, *_: object) -> None:
        self.running = True


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    @contextmanager
    def of(*_: object) -> Iterator[World]:
        yield made

    monkeypatch.setattr(mariadb, "as_root", of)
    monkeypatch.setattr(deleted_lake_rows, "_paimon", of)
    monkeypatch.setattr(deleted_lake_rows, "start_gateway", lambda *_: None)
    monkeypatch.setattr(deleted_lake_rows, "stop_with_savepoint", made.stop)
    monkeypatch.setattr(deleted_lake_rows, "ensure_submitted", made.submit)
    monkeypatch.setattr(deleted_lake_rows, "roll_back", lambda *_: made.steps.append("rolled back"))
    monkeypatch.setattr(gap, "bridge", made.bridge)
    return made


def test_the_oldest_rows_go_and_come_back(world: World, stack: Stack) -> None:
    assert not deleted_lake_rows.sign(stack, TWO).holds
    for _ in range(2):
        deleted_lake_rows.inject(stack, TWO)
        assert world.lake == {9} and world.running
    told = deleted_lake_rows.sign(stack, TWO)
    assert told.holds and told.seen == "the lake's order_items has 0 of its 2 oldest rows"
    for _ in range(2):
        deleted_lake_rows.remove(stack, TWO)
    assert world.steps == ["rolled back", "bridged orders", "rolled back"] and world.lake == {4, 7, 9}


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (lambda world: setattr(world, "source", []), InvalidInput),
        (lambda world: setattr(world, "running", False), NotReady),
        (lambda world: setattr(world, "refuses", True), StatementFailed),
    ],
)
def test_where_nothing_can_be_deleted_the_job_runs_all_the_same(
    world: World, stack: Stack, broken: Callable[[World], None], error: type[Exception]
) -> None:
    broken(world)
    with pytest.raises(error):
        deleted_lake_rows.inject(stack, TWO)
    assert world.lake == {4, 7, 9}
    assert world.running or not world.source

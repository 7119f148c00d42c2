"""Taking a widened column back: the job gets past the record that it refuses, also where that comes only later."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakeproof.errors import DeadlineExpired
from lakeproof.lake.job import unreadable
from lakeproof.lake.publish import history
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.flink import NO_EXCEPTION
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.flink_restarts import faults


class Database:
    """Its one spoilt row, until it is given back."""

    rowcount = 1

    def execute(self, statement: str, arguments: Any = None) -> None:
        if statement.startswith("ALTER"):
            self.rowcount = 0


class Items:
    """Rows (id, of a cancelled order); `then` come once the fault has looked."""

    def __init__(self, rows: list[tuple[int, int]], then: list[tuple[int, int]]) -> None:
        self.rows, self.then, self.changed = rows, then, list[int]()
        self._answer: Any = None

    def execute(self, statement: str, arguments: Any = None) -> None:
        if "COUNT(*)" in statement:
            self._answer = (len(self.changed),)
        elif statement.startswith("SELECT"):
            self._answer = min(self.rows, key=lambda row: (-row[1], row[0]), default=None)
            self.rows, self.then = self.rows + self.then, []
        elif statement.startswith("UPDATE"):
            self.changed.append(arguments[1])

    def fetchone(self) -> Any:
        return self._answer


@pytest.mark.parametrize(
    ("rows", "then", "changed"),
    [
        ([(1, 0), (2, 1), (3, 1)], [], 2),
        ([(1, 0), (2, 0)], [(3, 1)], 3),
        ([(1, 0), (2, 0)], [], 1),
    ],
)
def test_a_row_that_no_shopper_comes_back_to_is_waited_for_and_only_one_is_changed(
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    rows: list[tuple[int, int]],
    then: list[tuple[int, int]],
    changed: int,
) -> None:
    items = Items(rows, then)
    monkeypatch.setattr(mariadb, "as_root", lambda stack, seconds: nullcontext(items))
    monkeypatch.setattr(faults, "CANCELLED_SECONDS", 0.6)
    for _ in range(2):
        faults.WidenedColumn().inject(stack)
    assert items.changed == [changed]


def test_where_capture_was_stopped_a_second_removal_reads_text_until_the_record_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, database = Stack(Settings(state_dir=tmp_path)), Database()
    deployed: list[str] = []
    main_is_fresh = False

    @contextmanager
    def as_root(stack: Stack, seconds: float) -> Iterator[Database]:
        yield database

    def redeploy(stack: Stack, source: Any, rewrite: Any = None) -> None:
        deployed.append("as declared" if rewrite is None else "as text")

    monkeypatch.setattr(mariadb, "as_root", as_root)
    monkeypatch.setattr(faults, "refused_value", lambda stack, seconds, source: NO_EXCEPTION)
    monkeypatch.setattr(unreadable, "redeploy", redeploy)
    monkeypatch.setattr(unreadable, "PASS_SECONDS", 0.0)
    beat = SimpleNamespace(beat_of=lambda name: 1e18 if main_is_fresh else 0)
    monkeypatch.setattr(history, "newest", lambda stack: beat)
    with pytest.raises(DeadlineExpired):
        faults.WidenedColumn().remove(stack)
    assert (deployed, unreadable.reads_as_text(stack, OLTP)) == (["as text"], "oltp.order_items.line")
    main_is_fresh = True
    faults.WidenedColumn().remove(stack)
    assert (deployed[1:], unreadable.reads_as_text(stack, OLTP)) == (["as text", "as declared"], None)
    assert unreadable.finish_pass(stack, OLTP) is None

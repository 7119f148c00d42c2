"""A job gets past a value that it cannot read: as text first, as declared once main has caught up."""

import time
from pathlib import Path
from typing import Any

import pytest

from lakeproof.errors import DeadlineExpired, InvalidInput
from lakeproof.lake.job import unreadable
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class Published:
    """A newest commit whose heartbeat lies so many seconds before each look."""

    def __init__(self, age: float) -> None:
        self.age = age

    def beat_of(self, database: str) -> int:
        assert database == "oltp"
        return int((time.time() - self.age) * 1e6)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path))


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The declared type of the column, of each job that was deployed; "files": as in lake/jobs."""
    made: list[str] = []

    def redeploy(stack: Stack, source: object, sql_files: Any = None) -> None:
        declared = {file.source: file.columns for file in sql_files or ()}
        made.append(declared["oltp.order_items"]["line"] if declared else "files")

    monkeypatch.setattr(unreadable, "redeploy", redeploy)
    return made


def test_it_reads_text_until_main_shows_a_beat_of_after_the_call(
    stack: Stack, deployed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = iter([30.0, 10.0])
    monkeypatch.setattr(history, "newest", lambda stack: Published(next(ages, -1.0)))
    unreadable.pass_unreadable(stack, OLTP, "oltp.order_items", "line")
    assert deployed == ["STRING", "files"]


def test_the_job_of_postgresql_gets_past_a_value_in_the_same_way(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed: list[str] = []

    def redeploy(stack: Stack, source: object, sql_files: Any = None) -> None:
        assert source is SHOP
        declared = {file.source: file.columns for file in sql_files or ()}
        deployed.append(declared["payment.payments"]["version"] if declared else "files")

    class Beaten:
        def beat_of(self, database: str) -> int:
            assert database == "shop"
            return int((time.time() + 1) * 1e6)

    monkeypatch.setattr(unreadable, "redeploy", redeploy)
    monkeypatch.setattr(history, "newest", lambda stack: Beaten())
    unreadable.pass_unreadable(stack, SHOP, "payment.payments", "version")
    assert deployed == ["STRING", "files"]


def test_it_goes_on_reading_text_where_main_does_not_catch_up(
    stack: Stack, deployed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unreadable, "PASS_SECONDS", 0.1)
    monkeypatch.setattr(history, "newest", lambda stack: Published(30.0))
    with pytest.raises(DeadlineExpired):
        unreadable.pass_unreadable(stack, OLTP, "oltp.order_items", "line")
    assert deployed == ["STRING"]


@pytest.mark.parametrize(("table", "column"), [("oltp.order_items", "id"), ("oltp.nothing", "line")])
def test_what_it_cannot_do_is_refused_before_anything_is_deployed(
    stack: Stack, deployed: list[str], table: str, column: str
) -> None:
    with pytest.raises(InvalidInput):
        unreadable.pass_unreadable(stack, OLTP, table, column)
    assert deployed == []

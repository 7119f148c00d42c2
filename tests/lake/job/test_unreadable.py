"""A job gets past a value that it cannot read: as text first, as declared once main has caught up."""

import time
from collections.abc import Mapping

import pytest

from lakeproof.errors import DeadlineExpired, InvalidInput
from lakeproof.held_file import HeldByAnother
from lakeproof.lake.job import bridging, unreadable
from lakeproof.lake.job.added_columns import job_files
from lakeproof.lake.job.submission import Rewrite
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import OLTP, SHOP, Source
from lakeproof.stack.stack import Stack


class Published:
    """A newest commit whose heartbeat lies so many seconds before each look."""

    def __init__(self, age: float) -> None:
        self.age = age

    def beat_of(self, database: str) -> int:
        assert database == "oltp"
        return int((time.time() - self.age) * 1e6)


def declared_by(rewrite: Rewrite | None, stack: Stack, source: Source) -> dict[str, Mapping[str, str]]:
    """The columns of each table, as that job declares them; none where it takes the files as they are."""
    return {} if rewrite is None else {file.source: file.columns for file in rewrite(job_files(stack, source))}


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The declared type of the column, of each job that was deployed; "files": as in lake/jobs."""
    made: list[str] = []

    def redeploy(stack: Stack, source: Source, rewrite: Rewrite | None = None) -> None:
        declared = declared_by(rewrite, stack, source)
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

    def redeploy(stack: Stack, source: Source, rewrite: Rewrite | None = None) -> None:
        assert source is SHOP
        declared = declared_by(rewrite, stack, source)
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
    assert unreadable.reads_as_text(stack, OLTP) is None


def test_a_second_call_neither_deploys_nor_takes_the_mark_of_the_first_away(
    stack: Stack, deployed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a kill of the first would leave a job that reads text, and nothing that tells of it."""

    def newest(stack: Stack) -> Published:
        """Asked while the first call waits."""
        with pytest.raises(HeldByAnother):
            unreadable.pass_unreadable(stack, OLTP, "oltp.order_items", "quantity")
        with pytest.raises(HeldByAnother):
            unreadable.finish_pass(stack, OLTP)
        assert (deployed, unreadable.reads_as_text(stack, OLTP)) == (["STRING"], "oltp.order_items.line")
        return Published(-1.0)

    monkeypatch.setattr(history, "newest", newest)
    monkeypatch.setattr(bridging, "TURN_SECONDS", 0.0)
    unreadable.pass_unreadable(stack, OLTP, "oltp.order_items", "line")
    assert (deployed, unreadable.reads_as_text(stack, OLTP)) == (["STRING", "files"], None)


def test_it_does_nothing_beside_another_repair_of_the_lake(stack: Stack, deployed: list[str]) -> None:
    with bridging.bridging(stack, OLTP), pytest.raises(HeldByAnother):
        unreadable.pass_unreadable(stack, OLTP, "oltp.order_items", "line")
    assert (deployed, unreadable.reads_as_text(stack, OLTP)) == ([], None)

"""`lake evolve`: what it does, what it refuses, and that a run that was cut off is finished by the next one."""

from typing import Any

import pytest
from tests.doubles.columns import columns_as_declared

from lakeproof.errors import InvalidInput, NotReady
from lakeproof.held_file import HeldByAnother, hold
from lakeproof.lake.capture import columns as columns_module
from lakeproof.lake.capture import evolution, evolving
from lakeproof.lake.capture.columns import declared_columns, look
from lakeproof.lake.capture.evolution import find_table, plan, plan_undo
from lakeproof.lake.capture.evolving import evolve, expect_absence, undo
from lakeproof.lake.job import added_columns, submission
from lakeproof.lake.job.added_columns import Stage, find_added, job_files, path_of
from lakeproof.lake.job.submission import RUNS, Submitted
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.engine import Definition
from lakeproof.lake.sources.source import OLTP, SOURCES, Source
from lakeproof.stack.stack import Stack

ORDERS = "oltp.orders"
NULLABLE = Definition("varchar(64)", nullable=True, has_default=False, generated=False)


class Killed(Exception):
    """Stands for kill -9."""


class World:
    """MariaDB, the lake and Flink. `die_before`: the call that kills the command, once."""

    def __init__(self) -> None:
        self.columns = columns_as_declared()
        self.definitions: dict[tuple[str, str], Definition] = {}
        self.values: list[str] = []
        self.lake: dict[str, str] = {}
        self.done: list[str] = []
        self.die_before = ""
        self.job: dict[str, str] = {}
        self.job_is = RUNS

    def has(self, column: str, definition: Definition = NULLABLE, table: str = ORDERS) -> None:
        self.definitions[table, column] = definition
        self.columns[table][column] = definition.kind.partition("(")[0]

    def call(self, name: str) -> None:
        if self.die_before == name:
            self.die_before = ""
            raise Killed
        self.done.append(name)

    def planned(self, stack: Stack, source: Source, files: Any) -> None:
        (altered,) = [each for file in files for each in file.statements if each.startswith("ALTER")]
        self.call("alter")
        name, kind = altered.partition("ADD (`")[2].rstrip(")").split("` ")
        assert name not in self.lake
        self.lake[name] = kind + (")" if "(" in kind else "")

    def redeployed(self, stack: Stack, source: Source) -> Submitted:
        self.call("redeploy")
        self.job = next(file.columns for file in job_files(stack, source) if file.source == ORDERS)
        return Submitted("job", self.job_is)

    def reread(self, stack: Stack, connector: Any, tables: list[str]) -> None:
        self.call(f"reread {' '.join(tables)}")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(mariadb, "columns", lambda *_: made.columns)
    monkeypatch.setattr(mariadb, "definition", lambda stack, connector, *name: made.definitions.get(name))
    monkeypatch.setattr(mariadb, "values_in", lambda *_: made.values)
    monkeypatch.setattr(evolution, "lake_columns", lambda *_: made.lake)
    monkeypatch.setattr(evolution, "present", lambda stack: (OLTP,))
    monkeypatch.setattr(submission, "plan", made.planned)
    monkeypatch.setattr(submission, "redeploy", made.redeployed)
    monkeypatch.setattr(evolving, "read_existing_rows", made.reread)
    return made


def names(stack: Stack, *words: str) -> list[str]:
    return [step.name for step in plan(stack, *words).steps]


def test_a_column_comes_into_the_lake_step_by_step_and_a_second_run_finds_nothing_to_do(
    world: World, stack: Stack
) -> None:
    world.has("gift_note")
    world.values = ["for Ann"]
    assert [str(each) for each in look(stack, OLTP).unexpected] == ["oltp.orders.gift_note"]
    assert names(stack, "orders", "gift_note") == ["alter", "declare", "redeploy", "reread"]
    evolve(stack, "orders", "gift_note")
    assert world.done == ["alter", "redeploy", "reread oltp.orders"]
    assert (world.lake["gift_note"], world.job["gift_note"]) == ("STRING", "STRING")
    assert look(stack, OLTP).unexpected == ()
    assert evolve(stack, "orders", "gift_note").steps == ()
    assert len(world.done) == 3


def test_a_job_that_is_only_accepted_does_not_read_the_column_yet_and_the_next_run_goes_on_there(
    world: World, stack: Stack
) -> None:
    world.has("gift_note")
    world.job_is = "no TaskManager"
    with pytest.raises(NotReady, match="lake-oltp: it is accepted as job, not running yet: no TaskManager"):
        evolve(stack, "orders", "gift_note")
    noted = find_added(stack, OLTP, ORDERS, "gift_note")
    assert noted is not None and noted.stage is Stage.DECLARED
    world.job_is = RUNS
    evolve(stack, "orders", "gift_note")
    assert world.done == ["alter", "redeploy", "redeploy"]


def test_rows_are_not_read_anew_where_none_has_a_value_yet(world: World, stack: Stack) -> None:
    world.has("gift_note")
    evolve(stack, "orders", "gift_note")
    assert world.done == ["alter", "redeploy"]


def test_a_database_too_busy_to_look_for_values_has_its_rows_read_anew(
    world: World, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> list[str]:
        raise NotReady("no answer in time", where="mysql")

    world.has("gift_note")
    monkeypatch.setattr(mariadb, "values_in", busy)
    evolve(stack, "orders", "gift_note")
    assert world.done[-1] == "reread oltp.orders"


@pytest.mark.parametrize("killed_before", ["alter", "redeploy", "reread oltp.orders"])
def test_what_a_kill_cut_off_is_finished_by_the_next_run_and_nothing_is_altered_twice(
    world: World, stack: Stack, killed_before: str
) -> None:
    world.has("gift_note")
    world.values = ["for Ann"]
    world.die_before = killed_before
    with pytest.raises(Killed):
        evolve(stack, "orders", "gift_note")
    # A job that is submitted in between can be planned: it names the columns that it writes.
    assert "(`id`," in next(file for file in job_files(stack, OLTP) if file.source == ORDERS).statements[2]
    evolve(stack, "orders", "gift_note")
    assert sorted(world.done) == ["alter", "redeploy", "reread oltp.orders"]
    assert names(stack, "orders", "gift_note") == []


def test_a_kill_between_the_alteration_and_the_declaration_is_found_in_the_lake(
    world: World, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.has("gift_note")
    noted = added_columns.note

    def dying(stack: Stack, source: Source, column: Any) -> None:
        if column.stage is Stage.DECLARED:
            raise Killed
        noted(stack, source, column)

    with monkeypatch.context() as dies:
        dies.setattr(evolving, "note", dying)
        with pytest.raises(Killed):
            evolve(stack, "orders", "gift_note")
    assert names(stack, "orders", "gift_note") == ["declare", "redeploy", "reread"]
    evolve(stack, "orders", "gift_note")
    assert world.done == ["alter", "redeploy"]


def test_a_column_may_be_declared_before_the_database_has_it_and_is_no_drift_meanwhile(
    world: World, stack: Stack
) -> None:
    evolve(stack, "orders", "gift_note", "VARCHAR(64)")
    assert (world.done, world.job["gift_note"]) == (["alter", "redeploy"], "STRING")
    assert look(stack, OLTP) == columns_module.Differences((), ())
    assert "does not have it yet" in evolve(stack, "orders", "gift_note").said
    world.has("gift_note")
    world.values = ["its default"]
    assert look(stack, OLTP) == columns_module.Differences((), ())
    evolve(stack, "orders", "gift_note")
    assert world.done == ["alter", "redeploy", "reread oltp.orders"]
    del world.columns[ORDERS]["gift_note"], world.definitions[ORDERS, "gift_note"]
    assert [str(each) for each in look(stack, OLTP).unreadable] == ["oltp.orders.gift_note"]
    with pytest.raises(InvalidInput, match=r"does not have it any more.*--undo"):
        plan(stack, "orders", "gift_note")


def test_rows_of_an_append_only_table_are_never_read_anew_and_it_is_said(world: World, stack: Stack) -> None:
    world.has("reason", table="oltp.order_events")
    world.values = ["late"]
    found = evolve(stack, "order_events", "reason")
    assert world.done == ["alter", "redeploy"]
    assert "`lakeproof check` lists them as stale" in found.said
    assert names(stack, "order_events", "reason") == []


def test_taken_back_it_is_read_no_more_and_declared_again_its_rows_are_read_anew(world: World, stack: Stack) -> None:
    world.has("gift_note")
    world.values = ["for Ann"]
    evolve(stack, "orders", "gift_note")
    undo(stack, "orders", "gift_note")
    assert "gift_note" not in world.job and "gift_note" in world.lake
    assert [str(each) for each in look(stack, OLTP).unexpected] == ["oltp.orders.gift_note"]
    assert plan_undo(stack, "orders", "gift_note").steps == ()
    evolve(stack, "orders", "gift_note")
    assert world.done[3:] == ["redeploy", "redeploy", "reread oltp.orders"]
    world.has("gift_note", Definition("int(11)", nullable=True, has_default=False, generated=False))
    undo(stack, "orders", "gift_note")
    with pytest.raises(InvalidInput, match="the lake's table has it as STRING already"):
        plan(stack, "orders", "gift_note")


def test_a_column_that_was_dropped_and_added_again_has_its_rows_read_anew_although_none_has_a_value(
    world: World, stack: Stack
) -> None:
    world.has("gift_note")
    world.values = ["for Ann"]
    evolve(stack, "orders", "gift_note")
    gone = world.definitions.pop((ORDERS, "gift_note"))
    with pytest.raises(InvalidInput, match=r"--undo; where it is to come back: ALTER TABLE .* reads the rows anew"):
        plan(stack, "orders", "gift_note")
    world.definitions[ORDERS, "gift_note"], world.values = gone, []
    found = plan(stack, "orders", "gift_note")
    assert found.steps == () and "the lake keeps the values of before until --undo" in found.said
    undo(stack, "orders", "gift_note")
    world.die_before = "reread oltp.orders"
    with pytest.raises(Killed):
        evolve(stack, "orders", "gift_note")
    evolve(stack, "orders", "gift_note")
    assert world.done[3:] == ["redeploy", "redeploy", "reread oltp.orders"]
    undo(stack, "orders", "gift_note")
    evolve(stack, "orders", "gift_note")
    assert world.done[-1] == "reread oltp.orders"


def test_a_column_that_left_on_purpose_and_came_back_without_values_has_its_rows_read_anew(
    world: World, stack: Stack
) -> None:
    world.has("gift_note")
    evolve(stack, "orders", "gift_note")
    expect_absence(stack, OLTP, ORDERS, "gift_note")
    evolve(stack, "orders", "gift_note")
    assert world.done[2:] == ["reread oltp.orders"]


def test_an_undo_that_was_cut_off_is_finished_by_the_next(world: World, stack: Stack) -> None:
    world.has("gift_note")
    evolve(stack, "orders", "gift_note")
    world.die_before = "redeploy"
    with pytest.raises(Killed):
        undo(stack, "orders", "gift_note")
    assert [step.name for step in plan_undo(stack, "orders", "gift_note").steps] == ["redeploy"]
    undo(stack, "orders", "gift_note")
    noted = find_added(stack, OLTP, ORDERS, "gift_note")
    assert noted is not None and noted.stage is Stage.WITHDRAWN


def test_a_column_that_leaves_the_database_on_purpose_is_no_drift(world: World, stack: Stack) -> None:
    world.has("gift_note")
    assert not expect_absence(stack, OLTP, ORDERS, "gift_note")
    evolve(stack, "orders", "gift_note")
    assert expect_absence(stack, OLTP, ORDERS, "gift_note")
    del world.columns[ORDERS]["gift_note"]
    assert look(stack, OLTP) == columns_module.Differences((), ())


def of_kind(kind: str, **more: bool) -> Definition:
    return Definition(kind, **{"nullable": True, "has_default": False, "generated": False, **more})


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (of_kind("double"), "the engines of the lake do not all give it back alike"),
        (of_kind("bigint(20) unsigned"), "may not fit"),
        (of_kind("int(11)", nullable=False), "NOT NULL and has no default"),
        (of_kind("int(11)", generated=True), "MariaDB computes it"),
    ],
)
def test_what_cannot_be_declared_is_refused_before_anything_is_changed(
    world: World, stack: Stack, definition: Definition, said: str
) -> None:
    world.has("gift_note", definition)
    with pytest.raises(InvalidInput, match=said):
        evolve(stack, "orders", "gift_note")
    assert world.done == [] and not path_of(stack, OLTP).exists()


def test_not_null_with_a_default_is_taken(world: World, stack: Stack) -> None:
    world.has("gift_note", of_kind("int(11)", nullable=False, has_default=True))
    assert plan(stack, "orders", "gift_note").kind == "INT"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing", "gift_note"), "it is not captured"),
        (("orders", "gift_note"), "MariaDB has no such column. Next: ALTER TABLE"),
        (("orders", "gift_note", "GEOMETRY"), "do not all give it back alike"),
        (("orders", "gift_note", "INT NOT NULL"), "NOT NULL and has no default"),
        (("orders", "giftNote"), "not a name that every engine of the lake takes"),
        (("orders", "__gtid"), "not a name that every engine of the lake takes"),
        (("payments", "fee"), "PostgreSQL is not captured in this stack now"),
        (("order_items", "sku"), "dropped or renamed"),
        (("cdc_heartbeat", "x"), "it is not captured"),
    ],
)
def test_a_wrong_word_is_refused_and_what_to_do_is_said(
    world: World, stack: Stack, words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said) as refused:
        plan(stack, *words)
    assert refused.value.next_action


def test_a_column_of_the_files_needs_nothing(world: World, stack: Stack) -> None:
    world.has("status")
    found = plan(stack, "orders", "status")
    assert (found.steps, found.said) == ((), "lake/jobs/oltp/orders.sql declares it")


def test_a_renamed_column_is_no_new_one(world: World, stack: Stack) -> None:
    del world.columns[ORDERS]["status"]
    world.has("state")
    with pytest.raises(InvalidInput, match=r"it looks like status renamed.*rename_column_back"):
        plan(stack, "orders", "state")


def test_a_table_that_lacks_another_column_is_not_read_anew(world: World, stack: Stack) -> None:
    """The lake's values of the dropped one, from which alone it can be restored, became NULL."""
    world.has("gift_note")
    world.values = ["for Ann"]
    del world.columns[ORDERS]["item_count"]
    refused = r"orders: item_count is missing in the same table, restore it first.*Next: lakeproof diagnose"
    with pytest.raises(InvalidInput, match=refused):
        evolve(stack, "orders", "gift_note")
    assert world.done == [] and not path_of(stack, OLTP).exists()
    world.columns[ORDERS]["item_count"] = "int"
    evolve(stack, "orders", "gift_note")
    assert world.done == ["alter", "redeploy", "reread oltp.orders"]


def test_a_column_that_is_dropped_while_the_job_restarts_holds_up_the_reading_until_it_is_back(
    world: World, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    redeployed = world.redeployed

    def meanwhile(stack: Stack, source: Source) -> Submitted:
        del world.columns[ORDERS]["item_count"]
        return redeployed(stack, source)

    monkeypatch.setattr(submission, "redeploy", meanwhile)
    world.has("gift_note")
    world.values = ["for Ann"]
    with pytest.raises(InvalidInput, match="item_count is missing in the same table"):
        evolve(stack, "orders", "gift_note")
    world.columns[ORDERS]["item_count"] = "int"
    evolve(stack, "orders", "gift_note")
    assert world.done == ["alter", "redeploy", "reread oltp.orders"]


def test_a_table_that_is_never_read_anew_may_lack_another_column(world: World, stack: Stack) -> None:
    world.has("reason", table="oltp.order_events")
    del world.columns["oltp.order_events"]["version"]
    evolve(stack, "order_events", "reason")
    assert world.done == ["alter", "redeploy"]


def test_a_type_that_was_typed_has_to_be_that_of_the_database(world: World, stack: Stack) -> None:
    world.has("gift_note")
    assert plan(stack, "orders", "gift_note", "TEXT").kind == "STRING"
    with pytest.raises(InvalidInput, match="STRING and INT in the lake"):
        plan(stack, "orders", "gift_note", "INT")


def test_a_declared_column_does_not_change_its_type(world: World, stack: Stack) -> None:
    world.has("gift_note")
    evolve(stack, "orders", "gift_note")
    world.has("gift_note", of_kind("int(11)"))
    with pytest.raises(InvalidInput, match="a declared column keeps its type"):
        plan(stack, "orders", "gift_note")


@pytest.mark.parametrize("name", ["orders", "oltp.orders"])
def test_a_table_is_found_by_each_of_its_names(name: str) -> None:
    assert find_table(name)[1].source == ORDERS


@pytest.mark.parametrize("name", ["payments", "payment.payments", "shop.payments"])
def test_a_table_of_postgresql_too(name: str) -> None:
    assert (find_table(name)[0].name, find_table(name)[1].source) == ("shop", "payment.payments")


def test_what_was_never_declared_is_not_taken_back(world: World, stack: Stack) -> None:
    for column in ("gift_note", "status"):
        with pytest.raises(InvalidInput, match="only what `lake evolve` declared is taken back"):
            plan_undo(stack, "orders", column)


def test_two_at_once_do_not_forget_each_others_column(world: World, stack: Stack) -> None:
    world.has("gift_note")
    with hold(path_of(stack, OLTP).with_suffix(".lock"), "process 7 (lake evolve)"), pytest.raises(HeldByAnother):
        evolve(stack, "orders", "gift_note")
    assert world.done == []


def test_each_captured_table_but_the_heartbeats_can_grow() -> None:
    for source in SOURCES:
        for table in declared_columns(source):
            if not table.endswith("cdc_heartbeat"):
                assert find_table(table)[1].source == table

"""Columns that were added: kept with the stack, and taken into the job's SQL."""

import pytest

from lakeproof.errors import TerminalError
from lakeproof.lake.job.added_columns import (
    AddedColumn,
    Stage,
    added_columns,
    find_added,
    job_files,
    note,
    path_of,
)
from lakeproof.lake.job.spec import make_spec
from lakeproof.lake.job.sql_files import SqlFile, load_sql_files
from lakeproof.lake.sources.source import OLTP, SHOP, SOURCES, Source
from lakeproof.stack.engines.flink import prepare_jobmanager, prepare_taskmanager
from lakeproof.stack.stack import Stack

ORDERS = "oltp.orders"


def orders(stack: Stack) -> SqlFile:
    return next(file for file in job_files(stack, OLTP) if file.source == ORDERS)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_without_added_columns_the_files_are_taken_to_the_letter(stack: Stack, source: Source) -> None:
    assert job_files(stack, source) == load_sql_files(source.name)


@pytest.mark.parametrize(
    ("stage", "reads"),
    [
        (Stage.ADDING, False),
        (Stage.DECLARED, True),
        (Stage.DEPLOYED, True),
        (Stage.DONE, True),
        (Stage.WITHDRAWING, False),
        (Stage.WITHDRAWN, False),
    ],
)
def test_the_job_reads_a_column_from_its_declaration_on_and_names_what_it_writes_before(
    stack: Stack, stage: Stage, reads: bool
) -> None:
    """The lake's table may have a column that the job does not write: without names Flink refuses the INSERT."""
    note(stack, OLTP, AddedColumn(ORDERS, "gift_note", "STRING", stage))
    declare, create, insert = orders(stack).statements
    assert ("gift_note" in orders(stack).columns) is reads
    assert [("`gift_note` STRING" in each) for each in (declare, create)] == [reads, reads]
    assert insert.startswith("INSERT INTO orders (`id`, `client_key`")
    assert insert.count("`gift_note`") == 2 * reads
    others = [file for file in job_files(stack, OLTP) if file.source != ORDERS]
    assert others == [file for file in load_sql_files(OLTP.name) if file.source != ORDERS]


def test_two_columns_stand_in_one_order_everywhere_and_the_key_stays_last(stack: Stack) -> None:
    note(stack, OLTP, AddedColumn(ORDERS, "gift_note", "STRING", Stage.DONE))
    note(stack, OLTP, AddedColumn(ORDERS, "fee", "DECIMAL(12, 2)", Stage.DECLARED))
    found = orders(stack)
    assert list(found.columns)[-2:] == ["gift_note", "fee"]
    assert found.has_key and found.statements[0].index("PRIMARY KEY") > found.statements[0].index("`fee`")
    names, select = found.statements[2].split("SELECT")
    assert names.rstrip().endswith("`gift_note`, `fee`)")
    assert " ".join(select.split()).endswith("updated_at, `gift_note`, `fee` FROM oltp_orders")


def test_an_append_only_table_without_a_key_gets_its_column_too(stack: Stack) -> None:
    note(stack, SHOP, AddedColumn("payment.payment_events", "fee", "INT", Stage.DONE))
    found = next(file for file in job_files(stack, SHOP) if file.table == "payment_events")
    assert found.columns["fee"] == "INT" and "'mode' = 'append'" in found.statements[0]


def test_the_alteration_stands_between_the_table_without_the_column_and_the_insert_with_it(stack: Stack) -> None:
    note(stack, OLTP, AddedColumn(ORDERS, "gift_note", "STRING", Stage.ADDING))
    declare, create, alter, insert = orders(stack).adding("gift_note", "STRING").statements
    assert alter == "ALTER TABLE `orders` ADD (`gift_note` STRING)"
    assert "gift_note" in declare and "gift_note" not in create and insert.count("`gift_note`") == 2


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_file_takes_a_column(source: Source) -> None:
    for file in load_sql_files(source.name):
        grown = file.with_column("gift_note", "STRING")
        assert {**file.columns, "gift_note": "STRING"} == grown.columns, file.table
        names, _, selected = grown.statements[2].partition("SELECT")
        assert names.count(",") == selected.partition("FROM")[0].count(","), file.table


def test_the_spec_of_every_job_takes_it_and_a_second_word_on_a_column_replaces_the_first(stack: Stack) -> None:
    note(stack, OLTP, AddedColumn(ORDERS, "gift_note", "STRING", Stage.DECLARED))
    note(stack, OLTP, AddedColumn(ORDERS, "gift_note", "STRING", Stage.DONE, since=1.5))
    assert added_columns(stack, OLTP) == (AddedColumn(ORDERS, "gift_note", "STRING", Stage.DONE, since=1.5),)
    assert added_columns(stack, SHOP) == ()
    assert find_added(stack, OLTP, ORDERS, "gift") is None
    made = next(file for file in make_spec(stack, OLTP)["files"] if file["table"] == "orders")
    assert "`gift_note` STRING" in made["statements"][0]


def test_a_broken_list_is_no_empty_list(stack: Stack) -> None:
    """A job that was submitted by it would write NULL over values."""
    path = path_of(stack, OLTP)
    path.parent.mkdir(parents=True)
    for text in ("{", '[{"table": "oltp.orders"}]', '[{"stage": "nowhere"}]'):
        path.write_text(text)
        with pytest.raises(TerminalError, match="not the list of added columns"):
            make_spec(stack, OLTP)


def test_a_column_that_was_added_can_be_read_as_text_for_a_while(stack: Stack) -> None:
    note(stack, OLTP, AddedColumn(ORDERS, "fee", "DECIMAL(12, 2)", Stage.DONE))
    text = orders(stack).reading_as_text("fee")
    assert text.columns["fee"] == "STRING"
    assert "TRY_CAST(`fee` AS DECIMAL(12, 2))" in text.statements[2]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_start_of_flink_does_not_empty_the_folder_of_the_list(stack: Stack, source: Source) -> None:
    """Each start of a JobManager makes its folder anew: the list that lay there was gone after `down` and `up`."""
    note(stack, source, AddedColumn(ORDERS, "gift_note", "STRING", Stage.DONE))
    prepare_jobmanager(stack)
    prepare_taskmanager(stack)
    assert len(added_columns(stack, source)) == 1

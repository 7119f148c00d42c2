"""A table without a reader is not captured: its rows would be passed over."""

from lakeproof.lake.capture.new_tables import without_reader
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.lake.sources.source import OLTP

OPERATORS = "\n".join(
    (
        "Source: changes of cdc.oltp -> transaction aligner -> (Calc[3] -> Map, Map -> Writer : order_events)",
        "Writer : orders",
        "Global Committer : orders -> end: Writer",
    )
)


def test_a_file_names_the_table_that_it_reads() -> None:
    sources = {file.table: file.source for file in load_sql_files(OLTP.name)}
    assert sources["orders"] == "oltp.orders" and all(sources.values())


def test_only_what_a_writer_of_the_job_reads_has_a_reader() -> None:
    tables = ["oltp.orders", "oltp.order_items", "oltp.order_events", "oltp.coupons"]
    assert without_reader(tables, load_sql_files(OLTP.name), OPERATORS) == ["oltp.order_items", "oltp.coupons"]


def test_without_a_job_nothing_has_a_reader() -> None:
    assert without_reader(["oltp.orders"], load_sql_files(OLTP.name), "") == ["oltp.orders"]

"""Which type a column gets in the lake, and which types are refused."""

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.lake.sources.column_types import lake_type, parse_sql_type


@pytest.mark.parametrize(
    ("engine", "text", "kind"),
    [
        ("mysql", "varchar(64)", "STRING"),
        ("mysql", "VARCHAR(64)", "STRING"),
        ("mysql", "enum('a','b')", "STRING"),
        ("mysql", "tinyint(1)", "INT"),
        ("mysql", "int(10) unsigned", "BIGINT"),
        ("mysql", "smallint(5) unsigned", "INT"),
        ("mysql", "int unsigned", "BIGINT"),
        ("mysql", "bigint(20)", "BIGINT"),
        ("mysql", "decimal(12,2)", "DECIMAL(12, 2)"),
        ("mysql", "decimal", "DECIMAL(10, 0)"),
        ("mysql", "datetime(6)", "TIMESTAMP(6)"),
        ("postgres", "character varying(64)", "STRING"),
        ("postgres", "numeric(12,2)", "DECIMAL(12, 2)"),
        ("postgres", "numeric(5)", "DECIMAL(5, 0)"),
        ("postgres", "timestamp with time zone", "TIMESTAMP(6)"),
        ("postgres", "timestamp(3) without time zone", "TIMESTAMP(6)"),
        ("postgres", "timestamptz", "TIMESTAMP(6)"),
        ("postgres", "uuid", "STRING"),
        ("postgres", "boolean", "BOOLEAN"),
        ("postgres", "bigint", "BIGINT"),
    ],
)
def test_the_servers_words_and_a_persons_come_to_a_type_of_flink(engine: str, text: str, kind: str) -> None:
    assert lake_type(engine, text, where="t.c") == kind


@pytest.mark.parametrize(
    ("engine", "text"),
    [
        ("mysql", "double"),
        ("mysql", "bigint(20) unsigned"),
        ("mysql", "decimal(60,2)"),
        ("mysql", "set('a','b')"),
        ("mysql", "blob"),
        ("mysql", "uuid"),
        ("postgres", "numeric"),
        ("postgres", "integer[]"),
        ("postgres", "real"),
        ("postgres", "datetime"),
        ("postgres", "DROP TABLE x"),
    ],
)
def test_a_type_that_check_could_not_hold_to_the_database_is_refused(engine: str, text: str) -> None:
    with pytest.raises(InvalidInput, match=r"t\.c: .*another type"):
        lake_type(engine, text, where="t.c")


@pytest.mark.parametrize(
    ("typed", "text", "nullable", "has_default"),
    [
        ("VARCHAR(64)", "varchar(64)", True, False),
        ("int NOT  NULL", "int", False, False),
        ("DECIMAL(12, 2) NOT NULL DEFAULT 0.00", "decimal(12, 2)", False, True),
        ("int NULL", "int", True, False),
    ],
)
def test_what_stands_beside_a_typed_type_is_no_part_of_it(
    typed: str, text: str, nullable: bool, has_default: bool
) -> None:
    found = parse_sql_type(typed)
    assert (found.text, found.nullable, found.has_default) == (text, nullable, has_default)

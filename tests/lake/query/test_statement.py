"""Only reading statements pass, and the pinned catalog is put where the lake is named."""

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.lake.query.statement import in_catalog, require_reading, with_texts, without_values

SCHEMAS = frozenset({"oltp", "information_schema"})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "  -- why\n select * from orders where note = 'delete; from x'",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "WITH a AS (SELECT 1), b (x) AS (SELECT 2) SELECT * FROM a, b",
        "WITH a AS (SELECT 1) (SELECT * FROM a)",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE VERBOSE SELECT 1",
        "EXPLAIN (TYPE DISTRIBUTED, FORMAT JSON) SELECT 1",
        "EXPLAIN PLAN FOR SELECT 1",
        "EXPLAIN ESTIMATED_COST, CHANGELOG_MODE SELECT 1",
        "EXPLAIN FORMATTED SELECT 1",
        "SHOW TABLES",
        "describe orders",
        "VALUES (1)",
        "SELECT insert FROM (SELECT 1 AS insert)",
    ],
)
def test_a_reading_statement_passes_unchanged(sql: str) -> None:
    assert require_reading(sql) == sql


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "/* SELECT */ INSERT INTO orders VALUES (1)",
        "EXPLAIN ANALYZE DELETE FROM orders",
        "EXPLAIN EXTENDED DELETE FROM orders",
        "EXPLAIN (TYPE LOGICAL) INSERT INTO orders SELECT 1",
        "WITH a AS (SELECT 1) INSERT INTO orders SELECT * FROM a",
        "WITH a AS (SELECT (1)) DELETE FROM orders",
        "CALL lake.system.register_table('a', 'b', 'c')",
        "SET SESSION x = 1",
        "CREATE TABLE a AS SELECT 1",
        "SELECT 1; DROP TABLE orders",
        "",
        " -- nothing\n ;",
        "&",
    ],
)
def test_any_other_statement_is_refused_before_it_reaches_an_engine(sql: str) -> None:
    with pytest.raises(InvalidInput):
        require_reading(sql)


def test_a_closing_semicolon_is_left_out() -> None:
    assert require_reading("SELECT 1 ;\n") == "SELECT 1"


def test_a_semicolon_inside_text_is_no_second_statement() -> None:
    assert require_reading("SELECT ';' , \";\"") == "SELECT ';' , \";\""


@pytest.mark.parametrize(
    ("sql", "pinned"),
    [
        ("SELECT * FROM lake.oltp.orders", "SELECT * FROM p.oltp.orders"),
        ('SELECT * FROM "lake"."oltp".orders', 'SELECT * FROM p."oltp".orders'),
        ("SHOW TABLES FROM LAKE.oltp", "SHOW TABLES FROM p.oltp"),
        ("SELECT lake.id FROM orders lake", "SELECT lake.id FROM orders lake"),
        ("SELECT 'lake.oltp.orders' -- lake.oltp", "SELECT 'lake.oltp.orders' -- lake.oltp"),
        ("SELECT a.lake.oltp FROM x a", "SELECT a.lake.oltp FROM x a"),
    ],
)
def test_the_lake_s_catalog_is_replaced_only_where_it_names_a_schema(sql: str, pinned: str) -> None:
    assert in_catalog(sql, "lake", SCHEMAS, "p") == pinned


def test_each_text_is_written_anew_and_nothing_else() -> None:
    sql = "SELECT 'it''s', \"it's\" -- it's\n FROM a WHERE b = '' AND c LIKE r'\\d'"
    assert with_texts(sql, lambda text: f"<{text}>") == (
        "SELECT <it's>, \"it's\" -- it's\n FROM a WHERE b = <> AND c LIKE r'\\d'"
    )


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT 'O''Hara',  1.5e3 -- secret\nFROM \"a b\" /* 7 */", 'SELECT ?, ? FROM "a b"'),
        ("SELECT * FROM t WHERE x LIKE '\\' AND name = 'Le'", "SELECT * FROM t WHERE x LIKE ? AND name = ?"),
        ("SELECT 'not closed, Le", "SELECT …"),
        ("SELECT x2, 0xDEAD", "SELECT x2, ?"),
    ],
)
def test_a_statement_is_told_without_its_values(sql: str, told: str) -> None:
    assert without_values(sql) == told

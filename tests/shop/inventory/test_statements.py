"""The service's CQL, as text."""

import re

import pytest

from lakeproof.services.database.cassandra import Statement
from lakeproof.shop.inventory import statements
from lakeproof.shop.inventory.statements import EVENT_KEPT_SECONDS, KEPT_SECONDS

WRITES = [one for one in statements.STATEMENTS if re.match(r"(UPDATE|INSERT INTO) inventory\.stock ", one.text)]
ENDS = {
    statements.END_LINE: KEPT_SECONDS,
    statements.ADD_DUE: KEPT_SECONDS,
    statements.ADD_EVENT: EVENT_KEPT_SECONDS,
}


@pytest.mark.parametrize("statement", WRITES, ids=lambda one: one.text[:60])
def test_how_long_stock_is_kept_never_depends_on_what_its_table_says(statement: Statement) -> None:
    assert re.findall(r"USING TTL (\d+) SET", statement.text) == [str(ENDS.get(statement, 0))]

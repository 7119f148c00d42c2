"""The service's CQL, as text."""

import re

import pytest

from lakeproof_shop.services.inventory import statements
from lakeproof_shop.services.inventory.statements import EVENT_KEPT_SECONDS, KEPT_SECONDS
from lakeproof_shop.serving.database.cassandra import Statement

WRITES = [one for one in statements.STATEMENTS if re.match(r"(UPDATE|INSERT INTO) inventory\.stock ", one.text)]
ENDS = {
    statements.END_LINE: KEPT_SECONDS,
    statements.ADD_DUE: KEPT_SECONDS,
    statements.ADD_EVENT: EVENT_KEPT_SECONDS,
}


@pytest.mark.parametrize("statement", WRITES, ids=lambda one: one.text[:60])
def test_how_long_stock_is_kept_never_depends_on_what_its_table_says(statement: Statement) -> None:
    assert re.findall(r"USING TTL (\d+) SET", statement.text) == [str(ENDS.get(statement, 0))]

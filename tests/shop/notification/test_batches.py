"""Spreading and calling off a batch, by their statements: what a dead sender had taken is part of the batch again."""

import pytest

from lakeproof_shop.services.notification import leases, store


@pytest.mark.parametrize("statement", [store._SPREAD, store._WITHDRAW])
def test_a_claim_whose_lease_is_over_does_not_keep_a_message_out(statement: str) -> None:
    free = "(claim IS NULL OR due_at <= clock_timestamp()"
    assert free in leases._TAKE, "a sender may take what nobody sends"
    assert statement.count(f"{free})") == statement.count("claim IS NULL") > 0
    # Left in place, the old claim and the new due_at would be a lease.
    assert "claim = NULL" in statement

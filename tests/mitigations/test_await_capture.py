"""The wait for a large transaction goes on over a look that had no answer."""

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.replication_lag import repairs

SLOW = CouldNotLook("its newest record cannot be read in time", where="cdc.oltp")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int | CouldNotLook]:
    """What each look at Kafka gives; the last one again and again."""
    found: list[int | CouldNotLook] = []

    def transaction_rows(*_: object) -> int:
        seen = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(seen, CouldNotLook):
            raise seen
        return seen

    monkeypatch.setattr(repairs, "transaction_rows", transaction_rows)
    monkeypatch.setattr(repairs, "bytes_left", lambda *_: 500)
    monkeypatch.setattr(Deadline, "pause", lambda *_: None)
    return found


def test_a_slow_look_at_kafka_is_not_the_end_of_the_wait(stack: Stack, looks: list[int | CouldNotLook]) -> None:
    looks += [SLOW, 0]
    told = repairs.AwaitCapture().run(stack)
    assert told.startswith("read 500 bytes of binlog") and looks == [0]


def test_a_wait_without_any_look_ends_with_what_was_in_the_way(
    stack: Stack, looks: list[int | CouldNotLook], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks.append(SLOW)
    monkeypatch.setattr(repairs, "LEAST_SECONDS", 0.01)
    with pytest.raises(DeadlineExpired, match="cannot be read in time"):
        repairs.AwaitCapture().run(stack)

"""How old is the oldest open transaction? Kafka made up; a real one is asked in tests/engines/test_kafka.py."""

import time
from pathlib import Path

import pytest
from confluent_kafka import IsolationLevel, TopicPartition

from lakeproof.errors import CouldNotLook
from lakeproof.probes import transactions
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

ROWS, OFFSETS = "cdc.oltp", "_connect_offsets_orders"


def seconds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ages: dict[str, float | None]) -> object:
    """The probe's answer where a transaction is open in each of these topics; None: its age cannot be read."""

    def ends(_: Stack, partitions: list[TopicPartition], isolation: object, timeout: float) -> dict[str, int]:
        committed = isolation == IsolationLevel.READ_COMMITTED
        return {one.topic: 5 if committed and one.topic in ages else 9 for one in partitions}

    def written_at(_: Stack, first: TopicPartition, timeout: float) -> float | None:
        age = ages[first.topic]
        return None if age is None else time.time() - age

    monkeypatch.setattr(transactions, "topics", lambda *_: f"{ROWS} {OFFSETS} events.order")
    monkeypatch.setattr(transactions, "_ends", ends)
    monkeypatch.setattr(transactions, "_written_at", written_at)
    return transactions.open_transaction_seconds(Stack(Settings(state_dir=tmp_path)), 1.0)


def test_a_transaction_whose_age_cannot_be_read_is_not_taken_for_a_younger_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(CouldNotLook, match="cannot be read in time"):
        seconds(monkeypatch, tmp_path, {ROWS: None, OFFSETS: 2.0})


def test_a_transaction_that_hangs_is_told_also_where_another_one_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert seconds(monkeypatch, tmp_path, {ROWS: None, OFFSETS: 100.0}) == pytest.approx(100.0, abs=5.0)


def test_the_oldest_one_counts_and_none_is_zero(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert seconds(monkeypatch, tmp_path, {ROWS: 30.0, OFFSETS: 2.0}) == pytest.approx(30.0, abs=5.0)
    assert seconds(monkeypatch, tmp_path, {}) == 0

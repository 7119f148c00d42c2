"""How much a client says of a Kafka that is away."""

import logging
from contextlib import closing

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException

from lakeproof.stack import absent_kafka
from lakeproof.stack.absent_kafka import AbsentKafka, quiet_reader


def test_a_kafka_that_is_away_is_told_once_a_minute_and_kind(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    absent = AbsentKafka()
    refused, all_down = KafkaError(KafkaError._TRANSPORT, "refused"), KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1")
    with caplog.at_level(logging.WARNING):
        for error in (refused, all_down) * 20:
            absent.say(error)
    assert [record.__dict__["reason"] for record in caplog.records] == ["refused", "1/1"]
    monkeypatch.setattr(absent_kafka, "SAY_AGAIN_SECONDS", 0.0)
    absent.say(refused)
    assert len(caplog.records) == 3


def test_a_quiet_reader_says_nothing_of_a_kafka_that_is_away(capfd: pytest.CaptureFixture[str]) -> None:
    with closing(Consumer(quiet_reader("127.0.0.1:1", "group"))) as consumer, pytest.raises(KafkaException):
        consumer.list_topics(timeout=0.5)
    assert capfd.readouterr() == ("", "")

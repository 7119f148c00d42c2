"""How a client of Kafka behaves while Kafka is away: it tries twice a second, and says so once a minute, or never."""

import logging
import time
from typing import Any

from confluent_kafka import KafkaError

logger = logging.getLogger(__name__)

SAY_AGAIN_SECONDS = 60.0


class AbsentKafka:
    """One client's word on a Kafka that does not answer; `settings` go into that client's."""

    def __init__(self) -> None:
        self._said_at: dict[int, float] = {}
        self.settings: dict[str, Any] = {
            "reconnect.backoff.ms": 500,
            "reconnect.backoff.max.ms": 2_000,
            "log.connection.close": False,
            "error_cb": self.say,
        }

    def say(self, error: KafkaError) -> None:
        """Each kind once in SAY_AGAIN_SECONDS: it comes with every attempt to connect."""
        now = time.monotonic()
        if now - self._said_at.get(error.code(), float("-inf")) >= SAY_AGAIN_SECONDS:
            self._said_at[error.code()] = now
            logger.warning("kafka does not answer", extra={"reason": error.str()})


def quiet_settings(bootstrap_servers: str) -> dict[str, Any]:
    """Of a client that keeps its complaints to itself, for whoever asks once and is told by the call.

    librdkafka reports each failed attempt to connect.
    """
    return {"bootstrap.servers": bootstrap_servers, "log_level": 0, "error_cb": lambda _: None}


def quiet_reader(bootstrap_servers: str, group: str) -> dict[str, Any]:
    """Of such a consumer. It never joins its group: partitions are assigned to it."""
    return {**quiet_settings(bootstrap_servers), "group.id": group, "enable.auto.commit": False}


def logger_without_attempts(name: str) -> logging.Logger:
    """For librdkafka's words, but for those on failed attempts to connect: of them AbsentKafka tells."""
    words = logging.getLogger(name)
    words.addFilter(_is_no_attempt)
    return words


def _is_no_attempt(record: logging.LogRecord) -> bool:
    return not (isinstance(record.args, tuple) and record.args[:1] == ("FAIL",))

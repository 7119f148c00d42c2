"""Settings of a Kafka client for the time when Kafka is away: how often it connects, and how often it logs that."""

import logging
import time
from typing import Any

from confluent_kafka import KafkaError

logger = logging.getLogger(__name__)

SAY_AGAIN_SECONDS = 60.0


class AbsentKafka:
    """Logs for one client that Kafka does not answer. `settings`: to be added to the client's own settings.

    The client then tries to connect again after 0.5 to 2 s.
    """

    def __init__(self) -> None:
        self._said_at: dict[int, float] = {}
        self.settings: dict[str, Any] = {
            "reconnect.backoff.ms": 500,
            "reconnect.backoff.max.ms": 2_000,
            "log.connection.close": False,
            "error_cb": self.say,
        }

    def say(self, error: KafkaError) -> None:
        """Log each kind of error once in SAY_AGAIN_SECONDS: it is reported at every attempt to connect."""
        now = time.monotonic()
        if now - self._said_at.get(error.code(), float("-inf")) >= SAY_AGAIN_SECONDS:
            self._said_at[error.code()] = now
            logger.warning("kafka does not answer", extra={"reason": error.str()})


def quiet_settings(bootstrap_servers: str) -> dict[str, Any]:
    """Settings of a client that logs nothing, for a caller that asks once and learns of a failure from the call.

    Without them librdkafka reports each failed attempt to connect.
    """
    return {"bootstrap.servers": bootstrap_servers, "log_level": 0, "error_cb": lambda _: None}


def quiet_reader(bootstrap_servers: str, group: str) -> dict[str, Any]:
    """Settings of a consumer that logs nothing. It never joins its group: partitions are assigned to it."""
    return {**quiet_settings(bootstrap_servers), "group.id": group, "enable.auto.commit": False}


def logger_without_attempts(name: str) -> logging.Logger:
    """A logger for librdkafka's messages, without those on failed attempts to connect, which AbsentKafka reports."""
    words = logging.getLogger(name)
    words.addFilter(_is_no_attempt)
    return words


def _is_no_attempt(record: logging.LogRecord) -> bool:
    return not (isinstance(record.args, tuple) and record.args[:1] == ("FAIL",))

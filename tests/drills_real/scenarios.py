"""The scenarios that `make test-drills` drills: one part of all, which the number of commits chooses."""

# Three commits in a row drill all of them. Drills of the path alone come first in each part: a drill needs what those
# before it started, and something more. Cassandra is part of one, so that one part only waits for its ring.
PARTS = (
    ("connector-failure", "lake-commit-failure", "connection-saturation", "cassandra-node-down", "ttl-oversell"),
    ("replication-lag", "kafka-backlog", "fulfillment-delay", "notification-failure"),
    ("schema-drift", "flink-restarts", "trino-backlog", "support-timeline"),
)


def chosen_scenarios(number: int) -> tuple[str, ...]:
    """The part for that number, always the same."""
    return PARTS[number % len(PARTS)]

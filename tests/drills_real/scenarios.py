"""The scenarios that `make test` drills: one part of those that were often green, chosen by the commit."""

# Passed at least three times. Each part has one scenario of change capture, and none needs a component outside the
# path of a record. Two commits that choose different parts have drilled all of them.
OFTEN_GREEN = (
    ("connector-failure", "connection-saturation", "lake-commit-failure"),
    ("replication-lag", "schema-drift", "kafka-backlog"),
)


def chosen_scenarios(number: int) -> tuple[str, ...]:
    """The part for that number, always the same."""
    return OFTEN_GREEN[number % len(OFTEN_GREEN)]

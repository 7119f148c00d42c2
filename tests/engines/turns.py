"""The shop's tests on engines in `make test-engines`: one part of them, which the number of commits chooses.

The shop is finished, and over half of this tier's tests are its own. The path (capture, job, publisher, readers, what
watches it) is tested by every commit, but for three modules of it that seldom change. A service's tests are not in
the turn in which its own incident is drilled, so that two commits of three run something of it.
"""

# Three commits in a row test all of them. The turns are those of the drills (tests/drills_real/scenarios.py).
TURNS = (
    ("support", "notification_service", "notification_events", "mail_sink", "redis", "integrity_golden"),
    ("inventory_service", "postgres", "outbox", "payment_commit", "payment_openapi", "lake_file_io"),
    ("checkout", "fulfillment", "payment_service", "shop_facts", "new_postgres_table", "desk"),
)


def is_left_out(module: str, number: int) -> bool:
    """Whether that module (`test_support`) is not run at that number of commits."""
    name = module.removeprefix("test_")
    return any(name in turn for turn in TURNS) and name not in TURNS[number % len(TURNS)]

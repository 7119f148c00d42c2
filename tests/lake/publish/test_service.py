"""What the publisher's /health says."""

import time

from lakeproof.lake.publish.service import STUCK_SECONDS, Health, health_page


def test_a_round_under_way_is_well() -> None:
    status, body = health_page(Health(status="frozen", frozen="a foreign write", round_at=time.monotonic()))
    assert (status, body["status"], body["frozen"]) == (200, "frozen", "a foreign write")


def test_a_round_that_hangs_is_stuck() -> None:
    status, body = health_page(Health(status="healthy", round_at=time.monotonic() - STUCK_SECONDS - 1))
    assert (status, body["status"]) == (503, "stuck")

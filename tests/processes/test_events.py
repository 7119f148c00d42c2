"""What the daemon tells, over the socket and back."""

from dataclasses import asdict

from lakeproof.processes.events import Event


def test_a_supervisor_of_another_version_that_tells_more_is_understood() -> None:
    event = Event("kafka", "stopping", "SIGTERM sent")
    assert Event.from_json({**asdict(event), "seconds": 0.0}) == event

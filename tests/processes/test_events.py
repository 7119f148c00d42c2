"""What the daemon tells, over the socket and back."""

from lakeproof.processes.events import Event


def test_a_supervisor_of_another_version_that_tells_more_is_understood() -> None:
    event = Event("kafka", "stopping", "SIGTERM sent")
    assert Event.from_json({**event.to_json(), "seconds": 0.0}) == event

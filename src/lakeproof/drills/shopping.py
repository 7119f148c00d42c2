"""The shoppers under a drill: until they have enough orders, and their end, told in numbers."""

from lakeproof.deadline import Deadline
from lakeproof.drills.journal import Journal
from lakeproof.drills.phases import Phase
from lakeproof.drills.world import Traffic

LOOK_SECONDS = 1.0


def await_orders(traffic: Traffic, wanted: int, seconds: float, journal: Journal) -> None:
    """Until the shop has acknowledged so many orders to these shoppers. Raises: DeadlineExpired; LakeproofError."""
    have = 0

    def look() -> bool | None:
        nonlocal have
        have = traffic.orders()
        return True if have >= wanted else None

    Deadline(seconds).wait_for(
        f"{wanted} acknowledged orders",
        look,
        every=LOOK_SECONDS,
        seen=lambda: f"{have} of {wanted} orders",
        progress=journal.waiting(Phase.VERIFY),
    )


def stop_shoppers(traffic: Traffic, journal: Journal) -> None:
    """End them and say what they saw; nothing where none buy."""
    result = traffic.stop()
    if result is not None:
        journal.write(
            Phase.VERIFY,
            f"shoppers: {result.asked} calls asked, {result.acknowledged} acknowledged, "
            f"{result.refused} refused, {result.unclear} unclear",
            **result.__dict__,
        )

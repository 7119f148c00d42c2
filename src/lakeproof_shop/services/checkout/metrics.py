"""What is counted about checkouts."""

from prometheus_client import CollectorRegistry

from lakeproof.metrics import Metrics
from lakeproof_shop.services.checkout.models import ENDS, Step


class CheckoutMetrics(Metrics):
    """Steps by outcome, ends, and what is open."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.steps = self.counter(
            "shop_checkout_steps_total",
            "Steps of checkouts by outcome: done, refused (turned back), unclear (tried again later).",
            "step",
            "outcome",
        )
        self.ended = self.counter("shop_checkouts_ended_total", "Checkouts that ended.", "end", values=sorted(ENDS))
        self.open = self.gauge("shop_checkouts_open", "Checkouts under way, by what is to be done next.", "step")
        self.oldest_seconds = self.gauge(
            "shop_checkouts_oldest_open_seconds", "Age of the oldest checkout under way."
        )

    def show_open(self, found: dict[str, tuple[int, float]]) -> None:
        """Show the open checkouts. found: step → (number of checkouts, age of the oldest in seconds)."""
        for step in Step:
            if not step.is_end:
                self.open.labels(step.value).set(found.get(step.value, (0, 0.0))[0])
        self.oldest_seconds.set(max((age for _, age in found.values()), default=0.0))

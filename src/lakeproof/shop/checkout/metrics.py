"""What is counted about checkouts."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from lakeproof.shop.checkout.models import ENDS, Step


class CheckoutMetrics:
    """Steps by outcome, ends, and what is open."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.steps = Counter(
            "shop_checkout_steps_total",
            "Steps of checkouts by outcome: done, refused (turned back), unclear (tried again later).",
            ["step", "outcome"],
            registry=registry,
        )
        self.ended = Counter("shop_checkouts_ended_total", "Checkouts that ended.", ["end"], registry=registry)
        for end in sorted(ENDS):
            self.ended.labels(end.value)
        self.open = Gauge(
            "shop_checkouts_open", "Checkouts under way, by what is to be done next.", ["step"], registry=registry
        )
        self.oldest_seconds = Gauge(
            "shop_checkouts_oldest_open_seconds", "Age of the oldest checkout under way.", registry=registry
        )

    def show_open(self, found: dict[str, tuple[int, float]]) -> None:
        """Step → (how many, age of the oldest in seconds)."""
        for step in Step:
            if not step.is_end:
                self.open.labels(step.value).set(found.get(step.value, (0, 0.0))[0])
        self.oldest_seconds.set(max((age for _, age in found.values()), default=0.0))

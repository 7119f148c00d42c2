"""What the inventory service counts beyond its requests."""

from prometheus_client import Counter, Gauge

from lakeproof.services.database.metrics import DatabaseMetrics
from lakeproof.services.metrics import RequestMetrics


class InventoryMetrics(RequestMetrics):
    """Reservations, how the writers fared, and the reservation's TTL."""

    def __init__(self) -> None:
        super().__init__()
        self.database = DatabaseMetrics(self.registry)
        self.expired = Counter(
            "inventory_reservation_expired_total",
            "Reservations of a SKU that ended by themselves and went back to stock.",
            registry=self.registry,
        )
        self.active = Gauge(
            "inventory_reservation_active_total",
            "Reservations of a SKU that hold stock now, of all instances.",
            registry=self.registry,
        )
        self.changes = Counter(
            "shop_inventory_changes_total", "Changes of stock that were written.", ["op"], registry=self.registry
        )
        self.refusals = Counter(
            "shop_inventory_refusals_total", "Changes that were refused, by why.", ["why"], registry=self.registry
        )
        self.replays = Counter(
            "shop_inventory_replays_total",
            "Changes answered from an earlier call of the same key.",
            registry=self.registry,
        )
        self.writes = Counter(
            "shop_inventory_conditional_writes_total",
            "Conditional batches by how they ended; lost: somebody else was first; unclear: read again.",
            ["outcome"],
            registry=self.registry,
        )
        for outcome in ("applied", "lost", "unclear"):
            self.writes.labels(outcome)
        self.rechecked = Counter(
            "shop_inventory_rechecked_total",
            "Confirmations whose reservation was gone or could not be trusted, decided by the stock itself.",
            registry=self.registry,
        )
        self.ttl = Gauge(
            "inventory_reservation_ttl_seconds",
            "How long a reservation lives, by the setting and by the table's default (0: without end).",
            ["source"],
            registry=self.registry,
        )
        self.ttl_below_floor = Gauge(
            "inventory_reservation_ttl_below_floor",
            "1 where a reservation lives shorter than its floor, by the setting or by the table's default.",
            registry=self.registry,
        )
        self.violations = Gauge(
            "shop_inventory_invariant_violations",
            "SKUs where received − sold − reserved is below zero or a total is negative, at the last look.",
            registry=self.registry,
        )

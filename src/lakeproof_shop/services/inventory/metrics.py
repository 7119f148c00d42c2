"""What the inventory service counts beyond its requests."""

from lakeproof.metrics import RequestMetrics
from lakeproof_shop.serving.database.metrics import DatabaseMetrics


class InventoryMetrics(RequestMetrics):
    """Reservations, how the writers fared, and the reservation's TTL."""

    def __init__(self) -> None:
        super().__init__()
        self.database = DatabaseMetrics(self.registry)
        self.expired = self.counter(
            "inventory_reservation_expired_total",
            "Reservations of a SKU that ended by themselves and went back to stock.",
        )
        self.active = self.gauge(
            "inventory_reservation_active_total", "Reservations of a SKU that hold stock now, of all instances."
        )
        self.changes = self.counter("shop_inventory_changes_total", "Changes of stock that were written.", "op")
        self.refusals = self.counter("shop_inventory_refusals_total", "Changes that were refused, by why.", "why")
        self.replays = self.counter(
            "shop_inventory_replays_total", "Changes answered from an earlier call of the same key."
        )
        self.writes = self.counter(
            "shop_inventory_conditional_writes_total",
            "Conditional batches by how they ended; lost: somebody else was first; unclear: read again.",
            "outcome",
            values=("applied", "lost", "unclear"),
        )
        self.rechecked = self.counter(
            "shop_inventory_rechecked_total",
            "Confirmations whose reservation was gone or could not be trusted, decided by the stock itself.",
        )
        self.ttl = self.gauge(
            "inventory_reservation_ttl_seconds",
            "How long a reservation lives, by the setting and by the table's default (0: without end).",
            "source",
        )
        self.ttl_below_floor = self.gauge(
            "inventory_reservation_ttl_below_floor",
            "1 where a reservation lives shorter than its floor, by the setting or by the table's default.",
        )
        self.violations = self.gauge(
            "shop_inventory_invariant_violations",
            "SKUs where received − sold − reserved is below zero or a total is negative, at the last look.",
        )

"""What the order service counts beyond its requests."""

from lakeproof.services.database.metrics import DatabaseMetrics
from lakeproof.services.metrics import RequestMetrics


class OrderMetrics(RequestMetrics):
    """Changes of orders, and what the database did to us."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = self.counter("shop_order_changes_total", "Committed changes of orders.", "op")
        self.replays = self.counter(
            "shop_order_replays_total", "Calls answered from an earlier call of the same key."
        )
        self.database = DatabaseMetrics(self.registry)

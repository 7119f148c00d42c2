"""What the order service counts beyond its requests."""

from prometheus_client import Counter

from lakeproof.services.database.metrics import DatabaseMetrics
from lakeproof.services.metrics import RequestMetrics


class OrderMetrics(RequestMetrics):
    """Changes of orders, and what the database did to us."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = Counter(
            "shop_order_changes_total", "Committed changes of orders.", ["op"], registry=self.registry
        )
        self.replays = Counter(
            "shop_order_replays_total", "Calls answered from an earlier call of the same key.", registry=self.registry
        )
        self.database = DatabaseMetrics(self.registry)

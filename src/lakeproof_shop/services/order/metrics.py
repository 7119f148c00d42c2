"""What the order service counts beyond its requests."""

from lakeproof_shop.serving.database.metrics import DatabaseServiceMetrics


class OrderMetrics(DatabaseServiceMetrics):
    """Changes of orders, replays, and the troubles with the database."""

    def __init__(self) -> None:
        super().__init__("shop_order_replays_total")
        self.changes = self.counter("shop_order_changes_total", "Committed changes of orders.", "op")

"""What the payment service counts beyond its requests."""

from lakeproof.services.database.metrics import DatabaseServiceMetrics
from lakeproof.shop.payment.cards import DECLINING


class PaymentMetrics(DatabaseServiceMetrics):
    """Changes of payments, declines, replays, and the troubles with the database."""

    def __init__(self) -> None:
        super().__init__("shop_payment_replays_total")
        self.changes = self.counter("shop_payment_changes_total", "Committed changes of payments.", "type")
        self.declines = self.counter(
            "shop_payment_declines_total", "Declined authorizations by their code.", "code", values=DECLINING.values()
        )

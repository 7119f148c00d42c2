"""What the payment service counts beyond its requests."""

from lakeproof_shop.services.payment.cards import DECLINING
from lakeproof_shop.serving.database.metrics import DatabaseServiceMetrics


class PaymentMetrics(DatabaseServiceMetrics):
    """Changes of payments, declines, replays, and the troubles with the database."""

    def __init__(self) -> None:
        super().__init__("shop_payment_replays_total")
        self.changes = self.counter("shop_payment_changes_total", "Committed changes of payments.", "type")
        self.declines = self.counter(
            "shop_payment_declines_total", "Declined authorizations by their code.", "code", values=DECLINING.values()
        )

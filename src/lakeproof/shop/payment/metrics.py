"""What the payment service counts beyond its requests."""

from lakeproof.services.database.metrics import DatabaseMetrics
from lakeproof.services.metrics import RequestMetrics
from lakeproof.shop.payment.cards import DECLINING


class PaymentMetrics(RequestMetrics):
    """Changes of payments, declines, and what the database did to us."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = self.counter("shop_payment_changes_total", "Committed changes of payments.", "type")
        self.declines = self.counter(
            "shop_payment_declines_total", "Declined authorizations by their code.", "code", values=DECLINING.values()
        )
        self.replays = self.counter(
            "shop_payment_replays_total", "Calls answered from an earlier call of the same key."
        )
        self.database = DatabaseMetrics(self.registry)

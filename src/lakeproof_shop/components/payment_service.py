"""payment-service: authorizes, captures, refunds and voids payments over HTTP, and keeps them in PostgreSQL.

Ready means that its database answers. Kafka only gets its events: without Kafka they wait in the outbox.
"""

from lakeproof_shop.shop_service import shop_service

COMPONENTS = (
    shop_service(
        "payment-service",
        needs=("postgres",),
        uses=("kafka",),
        summary="payments over HTTP, kept in PostgreSQL",
    ),
)

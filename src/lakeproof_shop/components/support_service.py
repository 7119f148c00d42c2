"""support-service: customers' cases with messages and attachments, and the timeline of their order.

Without PostgreSQL it is unhealthy. Without Redis, timelines are collected anew; without a source, they lack its part
and say so; without Kafka, they are at most as old as the cache keeps them (2 s). /health tells of each.
"""

from lakeproof_shop.shop_service import shop_service

COMPONENTS = (
    shop_service(
        "support-service",
        needs=("postgres",),
        uses=("redis", "minio", "kafka", "order-service", "payment-service", "fulfillment-service"),
        summary="cases, attachments, and the timeline of an order",
    ),
)

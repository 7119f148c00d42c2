"""fulfillment-service: parcels from a request to the carrier; PostgreSQL keeps them, the object store their labels.

Healthy means that its database answers. While the store or Kafka is away it takes requests, says so in /health, and
catches up.
"""

from lakeproof_shop.shop_service import shop_service

COMPONENTS = (
    shop_service(
        "fulfillment-service",
        needs=("postgres",),
        uses=("minio", "kafka"),
        summary="labels from pending/ to ready/, status.shipped",
    ),
)

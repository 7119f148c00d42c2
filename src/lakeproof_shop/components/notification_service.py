"""notification-service: tells customers, by e-mail or webhook, what callers and other services' events call for.

Without PostgreSQL it is unhealthy. Without Redis messages pass unlimited; without a provider they are tried again;
while Kafka is away, events wait in it. /health tells of each.
"""

from lakeproof_shop.shop_service import shop_service

COMPONENTS = (
    shop_service(
        "notification-service",
        needs=("postgres",),
        uses=("redis", "mail-sink", "kafka"),
        summary="notifications by e-mail and webhook, limited by Redis",
    ),
)

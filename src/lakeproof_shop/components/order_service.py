"""order-service: takes the shop's orders over HTTP and keeps them in MariaDB.

Ready means that its database answers: /health asks it, so a stopped MariaDB or a stopped service both show.
"""

from lakeproof_shop.shop_service import shop_service

COMPONENTS = (
    shop_service("order-service", needs=("mysql",), in_plain_up=True, summary="orders over HTTP, kept in MariaDB"),
)

"""inventory-service: stock and reservations over HTTP, kept in Cassandra.

Ready means that the ring answers it at QUORUM, so two of the three nodes: with the first alone it is still starting.
"""

from dataclasses import replace

from lakeproof_shop.shop_service import shop_service

COMPONENTS = (
    # 240 s: it may be started while the ring's other nodes are still joining, one after another.
    replace(
        shop_service(
            "inventory-service",
            needs=("cassandra-seed",),
            uses=("cassandra-node2", "cassandra-node3", "kafka"),
            in_plain_up=False,
            summary="stock and reservations over HTTP, kept in Cassandra",
        ),
        start_seconds=240.0,
    ),
)

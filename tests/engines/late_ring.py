"""The inventory service with the whole ring behind proxies: `LATE_PORTS` is JSON, a node's port → its proxy's.

The contact points are given as everywhere, by LAKEPROOF_ENDPOINTS; the nodes that the driver finds by itself (by
system.peers_v2) would be asked past the proxies.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cassandra.cluster import Cluster
from cassandra.connection import DefaultEndPoint, DefaultEndPointFactory
from fastapi import FastAPI

from lakeproof.shop.inventory.app import create_app, surroundings_of
from lakeproof.stack.stack import Stack


class Proxied(DefaultEndPointFactory):  # type: ignore[misc]  # the driver is not typed
    """Each node that is found, at its proxy."""

    def __init__(self, ports: Mapping[int, int]) -> None:
        super().__init__()
        self._ports = ports

    def create(self, row: Mapping[str, Any]) -> DefaultEndPoint:
        """As the driver calls it."""
        found = super().create(row)
        return DefaultEndPoint(found.address, self._ports[found.port])


def main(stack: Stack) -> FastAPI:
    """As the service's own."""
    ports = {int(node): proxy for node, proxy in json.loads(os.environ["LATE_PORTS"]).items()}
    around = surroundings_of(stack)

    def open_cluster() -> Cluster:
        cluster = around.open_cluster()
        cluster.endpoint_factory = Proxied(ports).configure(cluster)
        return cluster

    return create_app(stack.settings.shop, stack.settings.inventory, replace(around, open_cluster=open_cluster))

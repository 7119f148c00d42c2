"""Where components listen: the usual ports of all of them, and what an address looks like.

The ports stand in one table, and not in each component's file, for two reasons. A new component's author sees which
ports are taken. And a Stack, which components' files work with, gives a port without loading all of these files.
"""

import re
from collections.abc import Mapping

# The components that can have further processes (`lakeproof scale`). PROCESSES_MAX counts the first process too.
SCALABLE = ("connect", "flink-taskmanager", "trino")
PROCESSES_MAX = 3  # two cores carry no more
_PORTS_APART = 100

# In the order of the first port.
_FIRST_PROCESSES: Mapping[str, Mapping[str, int]] = {
    "mail-sink": {"smtp": 1025, "http": 8025},
    "mysql": {"tcp": 3306},
    "postgres": {"tcp": 5432},
    "flink-taskmanager": {"rpc": 6125, "data": 6126, "jmx": 9407},
    "redis": {"tcp": 6379},
    "desk": {"http": 8000},
    "order-service": {"http": 8001},
    "payment-service": {"http": 8002},
    "inventory-service": {"http": 8003},
    "fulfillment-service": {"http": 8004},
    "support-service": {"http": 8005},
    "notification-service": {"http": 8006},
    "publisher": {"http": 8011},
    "projector": {"http": 8012},
    "trino": {"http": 8080, "jmx": 9408},
    "flink-jobmanager": {"http": 8081, "rpc": 6123, "blob": 6124, "jmx": 9406},
    "connect": {"http": 8083, "jmx": 9405},
    "flink-sql-gateway": {"http": 8084},
    "spark": {"http": 8085, "rpc": 8086, "blocks": 8087},
    "minio": {"http": 9000},
    "cassandra-seed": {"tcp": 9042, "storage": 7000, "rmi": 7199, "jmx": 9500},
    "cassandra-node2": {"tcp": 9043, "storage": 7002, "rmi": 7200, "jmx": 9501},
    "cassandra-node3": {"tcp": 9044, "storage": 7004, "rmi": 7201, "jmx": 9502},
    "cassandra-node4": {"tcp": 9045, "storage": 7006, "rmi": 7202, "jmx": 9503},
    "log-shipper": {"http": 9080},
    "prometheus": {"http": 9090},
    "kafka": {"tcp": 9092, "controller": 19093, "jmx": 9404},
    "alertmanager": {"http": 9093},
    "mysqld-exporter": {"http": 9104},
    "blackbox-exporter": {"http": 9115},
    "redis-exporter": {"http": 9121},
    "postgres-exporter": {"http": 9187},
    "lag-exporter": {"http": 9308},
    "object-store-exporter": {"http": 9309},
    "shop-capture": {"http": 9310},
    "victorialogs": {"http": 9428},
    "nessie": {"http": 19120, "management": 19122},
}


def replica_name(component: str, number: int) -> str:
    """The name of process `number` (2 and up): process 2 of connect is connect-2."""
    return f"{component}-{number}"


# Component (further processes too) → kind of endpoint → port, before the setting `port_shift` is added.
USUAL_PORTS: Mapping[str, Mapping[str, int]] = {
    **_FIRST_PROCESSES,
    **{
        replica_name(name, number): {
            kind: port + _PORTS_APART * (number - 1) for kind, port in _FIRST_PROCESSES[name].items()
        }
        for name in SCALABLE
        for number in range(2, PROCESSES_MAX + 1)
    },
}


def is_address(text: str) -> bool:
    """True for host:port, with or without http(s):// before it; a port is 1 to 65535."""
    found = re.fullmatch(r"(?:https?://)?[^/\s:]+:(\d{1,5})/?", text)
    return found is not None and 1 <= int(found[1]) <= 65535

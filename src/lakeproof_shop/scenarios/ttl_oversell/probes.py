"""Questions about reservations: do they live long enough, how many hold stock, how many ended by themselves."""

from lakeproof.errors import CouldNotLook
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.cql import reservation_ttl
from lakeproof.probes.exporters import told
from lakeproof.probes.probe import Probe
from lakeproof.probes.prometheus import instant
from lakeproof.probes.reading import Value
from lakeproof.stack.engines.cassandra_config import ALL_NODES, NODES
from lakeproof.stack.stack import Stack

SERVICE = "inventory-service"
SETTING = 'inventory_reservation_ttl_seconds{source="setting"}'
ACTIVE = "inventory_reservation_active_total"
EXPIRED = "sum(increase(inventory_reservation_expired_total[1m]))"


def ttl_shortfall(stack: Stack, timeout: float) -> Value:
    """Seconds by which the table's own TTL is below the floor that the settings give.

    0 where it is not; a table without a TTL (0) and a ring without the table end no reservation early.
    Raises: CouldNotLook.
    """
    ttl = reservation_ttl(stack, timeout)
    floor = stack.settings.inventory.reservation_ttl_floor_seconds
    return max(0.0, floor - ttl) if isinstance(ttl, int) and ttl > 0 else 0.0


def setting(stack: Stack, timeout: float) -> float | None:
    """For how many seconds the service lets a reservation hold; None where it does not tell. Raises: CouldNotLook."""
    return told(stack, timeout, SERVICE, SETTING)


def setting_shortfall(stack: Stack, timeout: float) -> Value:
    """Seconds by which the service's own setting is below the floor; 0 where it is not. Raises: CouldNotLook."""
    found = setting(stack, timeout)
    if found is None:
        raise CouldNotLook(f"it does not tell {SETTING}", where=SERVICE)
    return max(0.0, stack.settings.inventory.reservation_ttl_floor_seconds - found)


def active(stack: Stack, timeout: float) -> Value:
    """Reservations that hold stock now, as the service tells. Raises: CouldNotLook."""
    return told(stack, timeout, SERVICE, ACTIVE)


def expired(stack: Stack, timeout: float) -> Value:
    """Reservations that ended by themselves in the last minute; None where nobody counted. Raises: CouldNotLook."""
    found = instant(stack, EXPIRED, timeout)
    return round(found[0][1], 1) if found else None


PROBES = (
    Probe(
        "reservation-ttl-shortfall",
        NODES[0],
        "default_time_to_live of DESCRIBE TABLE inventory.reservations, against reservation_ttl_floor_seconds",
        "s",
        ttl_shortfall,
        Condition(Operator.IS, 0),
        about=ALL_NODES[1:],
        within=SERVICE,
        steady=True,
    ),
    Probe(
        "reservation-setting-shortfall",
        SERVICE,
        f"{SETTING} of GET /metrics, against reservation_ttl_floor_seconds",
        "s",
        setting_shortfall,
        Condition(Operator.IS, 0),
        steady=True,
    ),
    Probe("reservations-active", SERVICE, f"{ACTIVE} of GET /metrics", "reservations", active),
    Probe("reservations-expired", "prometheus", EXPIRED, "reservations", expired, about=(SERVICE,), within=SERVICE),
)

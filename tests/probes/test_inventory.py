"""A table's TTL against the floor, and what the service counts."""

from pathlib import Path

import httpx
import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.probes import exporters
from lakeproof.probes.reading import Value
from lakeproof.stack.settings import InventorySettings, Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.ttl_oversell import probes as inventory


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path, inventory=InventorySettings(reservation_ttl_floor_seconds=300)))


@pytest.mark.parametrize(
    ("ttl", "shortfall"), [(900, 0.0), (300, 0.0), (299, 1.0), (5, 295.0), (0, 0.0), (None, 0.0)]
)
def test_only_a_ttl_below_the_floor_falls_short(
    ttl: Value, shortfall: float, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "reservation_ttl", lambda stack, timeout: ttl)
    assert inventory.ttl_shortfall(stack, 1.0) == shortfall


def test_active_reservations_are_what_the_service_tells(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# TYPE inventory_reservation_active_total gauge\ninventory_reservation_active_total 7.0\n"
    monkeypatch.setattr(exporters, "get", lambda url, timeout: httpx.Response(200, text=text))
    assert inventory.active(stack, 1.0) == 7
    monkeypatch.setattr(exporters, "get", lambda url, timeout: httpx.Response(503, text=""))
    with pytest.raises(CouldNotLook):
        inventory.active(stack, 1.0)


def test_a_setting_below_the_floor_falls_short_whatever_the_table_says(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = 'inventory_reservation_ttl_seconds{source="setting"} 30.0\n'

    def answer(text: str) -> None:
        monkeypatch.setattr(exporters, "get", lambda url, timeout: httpx.Response(200, text=text))

    answer('inventory_reservation_ttl_seconds{source="table"} 900.0\n' + told)
    assert (inventory.setting(stack, 1.0), inventory.setting_shortfall(stack, 1.0)) == (30.0, 270.0)
    answer(told.replace("30.0", "900.0"))
    assert inventory.setting_shortfall(stack, 1.0) == 0.0
    answer("")
    with pytest.raises(CouldNotLook):
        inventory.setting_shortfall(stack, 1.0)


def test_without_a_series_nobody_counted(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "instant", lambda stack, expression, timeout: [])
    assert inventory.expired(stack, 1.0) is None
    monkeypatch.setattr(inventory, "instant", lambda stack, expression, timeout: [({}, 3.04)])
    assert inventory.expired(stack, 1.0) == 3.0

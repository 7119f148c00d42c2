"""Who steps back where processors are short."""

from lakeproof.stack.component import STEPS_BACK
from lakeproof.stack.components import all_components


def test_the_shop_and_the_way_of_an_alert_never_step_back() -> None:
    whole = {name for name, component in all_components().items() if component.nice == 0}
    shop = {name for name in all_components() if name.endswith("-service") or name.startswith("cassandra-")}
    assert shop | {"postgres", "redis", "mail-sink"} <= whole
    assert {"prometheus", "alertmanager", "desk", "blackbox-exporter", "lag-exporter", "shop-capture"} <= whole


def test_who_steps_back_does_so_equally() -> None:
    """MariaDB and Kafka with the lake's engines: with the lake alone behind, SQL at 200 orders/s starved it."""
    back = {name: component.nice for name, component in all_components().items() if component.nice}
    assert set(back.values()) == {STEPS_BACK}
    assert {"mysql", "kafka", "connect", "flink-taskmanager", "minio", "nessie", "publisher", "trino"} <= back.keys()

"""What each job really tells Prometheus, by name: of our own processes from their registries, of engines from what is
kept of their pages. Whether an engine's page has such a metric at all, tests/engines/test_metric_names.py sees."""

import re
from collections import Counter
from collections.abc import Iterable

import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from lakeproof.incidents.desk_metrics import DeskMetrics
from lakeproof.lake.publish.metrics import PublisherMetrics
from lakeproof.observability import lag_exporter
from lakeproof.observability.object_store_exporter import Listing, StoreMetrics
from lakeproof.observability.rules import PACKAGE
from lakeproof.observability.scrape import PROBE_METRICS
from lakeproof.observability.sources import PROBE_JOB, SUPERVISOR_JOB
from lakeproof.processes.metrics import ComponentMetrics
from lakeproof.stack.components import all_components
from lakeproof_shop.projector.metrics import ProjectorMetrics
from lakeproof_shop.services.checkout.metrics import CheckoutMetrics
from lakeproof_shop.services.fulfillment.metrics import FulfillmentMetrics
from lakeproof_shop.services.inventory.metrics import InventoryMetrics
from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.services.order.metrics import OrderMetrics
from lakeproof_shop.services.payment.metrics import PaymentMetrics
from lakeproof_shop.services.support.metrics import SupportMetrics

AGENTS = PACKAGE / "stack" / "engines" / "jmx"
# Prometheus writes these itself, about each job and each rule.
PROMETHEUS_OWN = frozenset({"up", "ALERTS"})


def _page(*collectors: Collector) -> str:
    registry = CollectorRegistry(auto_describe=False)
    for collector in collectors:
        registry.register(collector)
    return generate_latest(registry).decode()


def _store_page() -> str:
    store = StoreMetrics(PACKAGE)
    found: Counter[tuple[str, str]] = Counter({("bucket", "prefix/"): 1})
    store.listing = Listing(found, found, error="")
    return _page(store)


def pages() -> dict[str, str]:
    """Job → its page of metrics as text, of every process of ours."""
    order = OrderMetrics()
    CheckoutMetrics(order.registry)
    shop = {
        "order-service": order.registry,
        "payment-service": PaymentMetrics().registry,
        "inventory-service": InventoryMetrics().registry,
        "fulfillment-service": FulfillmentMetrics().registry,
        "support-service": SupportMetrics().registry,
        "notification-service": NotificationMetrics().registry,
        "projector": ProjectorMetrics().registry,
        "publisher": PublisherMetrics().registry,
        "desk": DeskMetrics(dict).registry,
    }
    capture = _page(
        lag_exporter.LagCollector({}),
        lag_exporter.SlotCollector({}),
        lag_exporter.unread_records([]),
        lag_exporter.drifted_columns([]),
        lag_exporter.changed_settings([]),
    )
    return {job: generate_latest(registry).decode() for job, registry in shop.items()} | {
        "lag-exporter": capture,
        "shop-capture": capture,
        "object-store-exporter": _store_page(),
        SUPERVISOR_JOB: _page(ComponentMetrics(list, ())),
    }


def names_of(page: str) -> set[str]:
    """The names that a query may use: of the samples, and of metrics without a sample yet."""
    names = set()
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            names |= {f"{name}_{end}" for end in ("bucket", "sum", "count")} if kind == "histogram" else {name}
        elif not line.startswith("#"):
            names.add(re.split(r"[{ ]", line, maxsplit=1)[0])
    return names


def exported() -> dict[str, set[str]]:
    """Job → names of the metrics that Prometheus has of it."""
    engines = {
        name: {metric for scrape in component.scrapes for metric in scrape.names}
        for name, component in all_components().items()
    }
    ours = {job: names_of(page) for job, page in pages().items()}
    return {job: kept for job, kept in engines.items() if kept} | ours | {PROBE_JOB: set(PROBE_METRICS)}


def exporters_of(metric: str, jobs: dict[str, set[str]]) -> list[str]:
    """The jobs that have a metric of that name; a histogram also goes by its bare name."""
    return [job for job, names in jobs.items() if metric in names or f"{metric}_bucket" in names]


def agents_names(path_stem: str) -> Iterable[re.Pattern[str]]:
    """What names the rules of one JMX agent can make."""
    agent = yaml.safe_load((AGENTS / f"{path_stem}.yml").read_text(encoding="utf-8"))
    flags = re.IGNORECASE if agent.get("lowercaseOutputName") else 0
    for rule in agent["rules"]:
        yield re.compile(re.sub(r"\\\$\d", r"\\w+", re.escape(rule["name"])), flags)

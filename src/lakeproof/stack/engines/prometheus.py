"""Prometheus 2.42 (Debian's): scrapes every component, and evaluates the rules of all scenarios: each second
in a drill's windows, every five seconds in those of production.

Debian's build needs a third of the memory of a newer one and brings promtool; rules keep to 2.42's syntax. Trap:
Debian's package starts a service of its own on :9090, so ours has its own folder, and set-up disables the package's.
"""

from lakeproof.errors import NotReady
from lakeproof.stack import loopback
from lakeproof.stack.component import Command, Component, Hook, Scrape
from lakeproof.stack.program import find_program
from lakeproof.stack.stack import Stack

RETENTION = "2d"
LOOKBACK = "15s"
# Metrics that Prometheus keeps.
METRICS = (
    "prometheus_tsdb_head_series",
    "prometheus_rule_evaluation_failures_total",
    "prometheus_notifications_dropped_total",
)


def command(stack: Stack) -> Command:
    """Loopback, reload over HTTP, short retention."""
    program = find_program("prometheus", package="prometheus")
    etc = stack.etc_dir("prometheus")
    return Command(
        (
            program,
            f"--config.file={etc / 'prometheus.yml'}",
            f"--storage.tsdb.path={stack.data_dir('prometheus')}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address={stack.settings.host}:{stack.port('prometheus')}",
            f"--web.external-url={stack.url('prometheus')}",
            "--web.enable-lifecycle",
            # Three times the longest pause between two scrapes. With the default, five minutes, Prometheus would show
            # after a restart the last values of components of the run before as if they were current.
            f"--query.lookback-delta={LOOKBACK}",
            # A firing alert is sent again this often, so that an Alertmanager that lost it in a restart soon has it.
            "--rules.alert.resend-delay=10s",
            "--log.level=warn",
        )
    )


def ready(stack: Stack, timeout: float) -> None:
    """It evaluates a query."""
    url = f"{stack.url('prometheus')}/api/v1/query"
    told = loopback.require_ok(url, "prometheus", timeout, {"query": "vector(1)"}).json()
    if told["data"]["result"][0]["value"][1] != "1":
        raise NotReady(f"vector(1) gave {told['data']}", where="prometheus")


COMPONENTS = (
    Component(
        name="prometheus",
        kind="engine",
        command=command,
        ready=ready,
        hooks=(Hook.PREPARE,),
        scrapes=(Scrape("http", seconds=5.0, names=METRICS),),
        start_seconds=60.0,
        stop_seconds=15.0,
        image="prom/prometheus:v2.53.3",
        summary="metrics and alert rules",
    ),
)

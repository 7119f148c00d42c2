"""Alertmanager 0.25 (Debian's): gives every alert to the desk, and high and critical ones to Slack as well.

Debian's build reads a template at a path fixed in the binary, so it must be installed by apt. Gossip is off: one
instance, and nothing may listen beyond loopback.
"""

from lakeproof.errors import NotReady
from lakeproof.stack import loopback
from lakeproof.stack.component import Command, Component, Hook, Scrape
from lakeproof.stack.program import find_program
from lakeproof.stack.stack import Stack

CONFIG_FILE = "alertmanager.yml"
# Alertmanager writes to disk this often which alerts it has sent. After kill -9 it sends all alerts since the last
# write again: with the default, a quarter of an hour, that is nearly every alert that fires.
SNAPSHOT_SECONDS = 5
# Metrics that Prometheus keeps.
METRICS = ("alertmanager_alerts", "alertmanager_notifications_failed_total")


def command(stack: Stack) -> Command:
    """One instance on loopback, without gossip."""
    program = find_program("prometheus-alertmanager", "alertmanager", package="alertmanager")
    return Command(
        (
            program,
            f"--config.file={stack.etc_dir('alertmanager') / CONFIG_FILE}",
            f"--storage.path={stack.data_dir('alertmanager')}",
            f"--data.maintenance-interval={SNAPSHOT_SECONDS}s",
            f"--web.listen-address={stack.settings.host}:{stack.port('alertmanager')}",
            # Alertmanager's webhooks carry this URL, by which the desk knows which stack an alert comes from.
            f"--web.external-url={stack.url('alertmanager')}",
            "--cluster.listen-address=",
            "--log.level=warn",
        )
    )


def ready(stack: Stack, timeout: float) -> None:
    """It tells its status, with the configuration it runs on."""
    told = loopback.require_ok(f"{stack.url('alertmanager')}/api/v2/status", "alertmanager", timeout).json()
    if "receivers" not in told["config"]["original"]:
        raise NotReady("it has no receivers", where="alertmanager")


COMPONENTS = (
    Component(
        name="alertmanager",
        kind="engine",
        command=command,
        ready=ready,
        uses=("prometheus", "desk"),
        hooks=(Hook.PREPARE,),
        scrapes=(Scrape("http", seconds=5.0, names=METRICS),),
        start_seconds=60.0,
        image="prom/alertmanager:v0.28.1",
        summary="sends alerts to the desk and to people",
    ),
)

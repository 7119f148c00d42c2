"""blackbox-exporter 0.23 (Debian's): asks every component's /health over HTTP, as a user would.

It asks over HTTP only: of a process under SIGSTOP the kernel still accepts TCP connections.
"""

import yaml

from lakeproof.errors import NotReady
from lakeproof.stack import loopback
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.program import find_program
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

MODULES = {
    "modules": {
        "http": {
            "prober": "http",
            "timeout": "1s",
            "http": {"preferred_ip_protocol": "ip4", "follow_redirects": False, "method": "GET"},
        }
    }
}
# Metrics that Prometheus keeps.
METRICS = ("blackbox_exporter_config_last_reload_successful",)


def command(stack: Stack) -> Command:
    """Listens on loopback. Of the scrape's 1 s, 0.1 s is kept for the answer's way back; the default is 0.5 s."""
    program = find_program("prometheus-blackbox-exporter", "blackbox_exporter", package="blackbox-exporter")
    return Command(
        (
            program,
            f"--config.file={stack.etc_dir('blackbox-exporter') / 'blackbox.yml'}",
            f"--web.listen-address={stack.settings.host}:{stack.port('blackbox-exporter')}",
            "--timeout-offset=0.1",
            "--log.level=warn",
        )
    )


def prepare(stack: Stack) -> None:
    """Before each start: write the configuration of the prober."""
    write_file(stack.etc_dir("blackbox-exporter") / "blackbox.yml", yaml.safe_dump(MODULES))


def ready(stack: Stack, timeout: float) -> None:
    """It probes itself with success."""
    url = stack.url("blackbox-exporter")
    target = {"module": "http", "target": f"{url}/-/healthy"}
    if "probe_success 1" not in loopback.require_ok(f"{url}/probe", "blackbox-exporter", timeout, target).text:
        raise NotReady("it answered without success", where="blackbox-exporter")


COMPONENTS = (
    Component(
        name="blackbox-exporter",
        kind="engine",
        command=command,
        ready=ready,
        prepare=prepare,
        scrapes=(Scrape("http", seconds=5.0, names=METRICS),),
        start_seconds=60.0,
        image="prom/blackbox-exporter:v0.26.0",
        summary="asks every /health",
    ),
)

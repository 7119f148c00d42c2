"""redis-exporter 1.45 (Debian's; a newer 1.x on Debian 13): Redis' own figures. Its environment has its password."""

from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.program import find_program
from lakeproof.stack.python_module import answers_ok
from lakeproof.stack.stack import Stack

NAME = "redis-exporter"
# Metrics that Prometheus keeps.
METRICS = ("redis_up", "redis_connected_clients", "redis_memory_used_bytes")


def command(stack: Stack) -> Command:
    """Listens on loopback; gives a silent Redis less time than Prometheus gives the exporter.

    Raises: MissingArtifact.
    """
    program = find_program("prometheus-redis-exporter", "redis_exporter", package="prometheus-redis-exporter")
    return Command(
        (
            program,
            f"-web.listen-address={stack.settings.host}:{stack.port(NAME)}",
            f"-redis.addr=redis://{stack.address('redis', 'tcp')}",
            "-connection-timeout=2s",
        ),
        env={"REDIS_PASSWORD": stack.secret("redis")},
    )


COMPONENTS = (
    Component(
        name=NAME,
        kind="engine",
        command=command,
        ready=answers_ok(
            NAME, "It serves its own page; whether Redis answers is a metric (redis_up), not its health.", "/"
        ),
        provision_needs=("redis",),
        scrapes=(Scrape("http", seconds=5.0, names=METRICS),),
        start_seconds=30.0,
        in_plain_up=False,
        image="oliver006/redis_exporter:v1.45.0",
        summary="figures of Redis",
    ),
)

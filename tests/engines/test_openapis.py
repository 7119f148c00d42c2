"""Each of the six services keeps to its OpenAPI, whatever is sent: no error of its own, nothing unannounced."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.states import Health
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(600)]

SERVICES = ("payment", "notification", "fulfillment", "support", "inventory", "order")
# Without these it answers 503: a checkout asks the other services, a customer's orders are read in the projection.
BESIDE = {"order": tuple(f"{one}-service" for one in SERVICES), "support": ("projector", "cassandra-node3")}
SLOWEST_SECONDS = 15


@pytest.mark.parametrize("service", SERVICES)
def test_it_keeps_to_its_openapi(stack: Stack, up: Callable[..., SupervisorClient], service: str) -> None:
    name = f"{service}-service"
    supervisor = up(name, *BESIDE.get(service, ()))
    before = supervisor.row(name).pid
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            f"--config-file={Path(__file__).with_name('schemathesis.toml')}",
            "run",
            f"{stack.url(name)}/openapi.json",
            "--checks=all",
            # A key that was used for another request, a declined card: right requests by their schema, and refused.
            "--exclude-checks=positive_data_acceptance",
            "--max-examples=25",
            "--seed=1",
            "--phases=examples,coverage,fuzzing,stateful",
            f"--request-timeout={SLOWEST_SECONDS}",
            "--no-color",
        ],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    print(run.stdout[-1500:])
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-1000:]
    assert (supervisor.row(name).pid, supervisor.row(name).health) == (before, Health.HEALTHY)

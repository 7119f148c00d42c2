"""Two questions to every component that can run: does its process answer at all, and is it well?

Generated from the list of components (stack/components.py): a new component is asked with no other edit. Where a
module here asks the first question better than by HTTP (Kafka, the database), its `liveness` probe is taken instead.
"""

from lakeproof.errors import NotReady
from lakeproof.probes import databases, kafka
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS, liveness
from lakeproof.probes.probe import RUBBISH, Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.component import Component
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack

# Any HTTP server answers this path, if only with 404, and without work. So silence means that the process hangs.
LIVENESS_PATH = "/-/alive"
WELL = "yes"
LONGEST = 200
# A component answers HTTP on the first of these kinds of port that it has.
HTTP_PORTS = ("http", "jmx")


def http_port(component: Component) -> str | None:
    """The kind of port on which the component answers HTTP; None where it does not."""
    return next((kind for kind in HTTP_PORTS if kind in component.ports), None)


def answers_probe(component: Component, port: str) -> Probe:
    """`NAME-answers`: answers, silent or refused."""

    def ask(stack: Stack, timeout: float) -> Value:
        return liveness(f"{stack.url(component.name, port)}{LIVENESS_PATH}", timeout)

    return Probe(
        f"{component.name}-answers",
        component.name,
        f"GET {LIVENESS_PATH} on its port {port}",
        "",
        ask,
        Condition(Operator.IS, ANSWERS),
        always=True,
        liveness=True,
    )


def ready_probe(component: Component) -> Probe:
    """`NAME-ready`: yes, or what the component's health question came to, in words."""

    def ask(stack: Stack, timeout: float) -> Value:
        try:
            component.ready(stack, timeout)
        except NotReady as error:
            return error.what[:LONGEST]
        except RUBBISH as error:
            return f"answered something else: {type(error).__name__}: {error}"[:LONGEST]
        return WELL

    doc = (component.ready.__doc__ or "its health question").strip().splitlines()[0].rstrip(".")
    return Probe(
        f"{component.name}-ready",
        component.name,
        f"lakeproof ps: {doc}",
        "",
        ask,
        Condition(Operator.IS, WELL),
        always=True,
    )


def _probes() -> tuple[Probe, ...]:
    better = {probe.source for probe in (*kafka.PROBES, *databases.PROBES) if probe.liveness}
    found: list[Probe] = []
    for component in all_components().values():
        port = http_port(component)
        if port is None or component.on_demand:
            continue
        if component.name not in better:
            found.append(answers_probe(component, port))
        # A component with a better probe and only a jmx port is asked a real question already, by a user's account.
        if port == "http" or component.name not in better:
            found.append(ready_probe(component))
    return tuple(found)


PROBES = _probes()

"""Kafka Connect: the connectors of the sources that are always captured. Each other capture makes its own."""

from lakeproof.lake.capture import registration, resting
from lakeproof.lake.sources.source import SOURCES, present
from lakeproof.stack.stack import Stack

REST_SECONDS = 20.0


def provision(stack: Stack) -> None:
    """Once ready: a connector for each source that is always captured, once (lake/capture/registration.py).

    Connect also remembers connectors of the other sources from earlier runs. Where the capture of such a source did
    not end cleanly, its connector is stopped now.
    """
    for source in SOURCES:
        if source.capture is None:
            registration.provision(stack, source)
        elif source not in present(stack):
            resting.stop(stack, source, REST_SECONDS)

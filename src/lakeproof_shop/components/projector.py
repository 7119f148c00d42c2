"""projector: result topics of the lake's job → the projections that services read in Cassandra (lake/projector).

Ready means that Cassandra and Kafka answer it. The lake's job, which `up` starts, writes the result topics.
"""

from lakeproof.stack.component import Component, Scrape
from lakeproof.stack.python_module import answers_ok, run_module

NAME = "projector"


COMPONENTS = (
    Component(
        name=NAME,
        kind="service",
        command=run_module("lakeproof_shop.projector.app"),
        ready=answers_ok(NAME),
        # It may be started while the ring's other nodes are still joining, one after another: hence 240 s.
        needs=("cassandra-seed",),
        uses=("cassandra-node2", "cassandra-node3", "kafka"),
        scrapes=(Scrape("http"),),
        start_seconds=240.0,
        stop_seconds=12.0,
        in_plain_up=False,
        summary="result topics into the projections that services read",
    ),
)

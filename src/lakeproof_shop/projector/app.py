"""The projector as a process: `python -m lakeproof_shop.projector.app`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from confluent_kafka import Consumer
from fastapi import APIRouter, FastAPI

from lakeproof.deadline import Deadline
from lakeproof.lake.result_topics import result_topic
from lakeproof.stack.absent_kafka import quiet_reader
from lakeproof.stack.settings import ShopSettings
from lakeproof.stack.stack import Stack
from lakeproof_shop.projector import statements
from lakeproof_shop.projector.lag import Lag
from lakeproof_shop.projector.metrics import ProjectorMetrics
from lakeproof_shop.projector.projection import Projection
from lakeproof_shop.serving.database.cassandra import Ring
from lakeproof_shop.serving.database.cassandra_cluster import RingAndKafka, ring_and_kafka
from lakeproof_shop.serving.event_consumer import EventConsumer
from lakeproof_shop.serving.health import Question
from lakeproof_shop.serving.service import create_service, serve

NAME = "projector"
GROUP = "projector"
TOPIC = result_topic(statements.PROJECTION)
BATCH = 500
HEALTH_SECONDS = 0.9


def create_app(shop: ShopSettings, around: RingAndKafka) -> FastAPI:
    """The projector; it starts also where the ring or Kafka is away, says so, and goes on once they are there."""
    metrics = ProjectorMetrics()

    @asynccontextmanager
    async def opened(_: FastAPI) -> AsyncIterator[Mapping[str, Question]]:
        ring = Ring(around.open_cluster, statements.WRITES, metrics.database)
        projection = Projection(ring, metrics)
        consumer = EventConsumer(around.kafka, projection.take, group=GROUP, topics=(TOPIC.name,), batch=BATCH)
        quiet = Consumer(quiet_reader(around.kafka, GROUP))
        lag = Lag(ring, metrics, quiet, topic=TOPIC.name, parts=TOPIC.partitions)
        ring.start()
        consumer.start()
        measuring = asyncio.create_task(lag.run(), name="lag")

        async def ask_ring() -> str:
            if not (problem := ring.problem or projection.problem):
                await ring.read(statements.PROGRESS, (statements.PROJECTION,), Deadline(HEALTH_SECONDS))
            return problem

        def ended_parts() -> str:
            ended = ["lag"] if measuring.done() else []
            if not consumer.is_running:
                ended.append("reader of records")
            return f"ended: {', '.join(ended)}" if ended else ""

        try:
            yield {"cassandra": ask_ring, "kafka": consumer.problem, "parts": ended_parts}
        finally:
            await consumer.stop()
            measuring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await measuring
            await ring.close()

    return create_service("projector", shop, metrics, APIRouter(), opened)


def main(stack: Stack) -> FastAPI:
    """The projector of the stack."""
    return create_app(stack.settings.shop, ring_and_kafka(stack, "projector"))


if __name__ == "__main__":
    serve(NAME, main)

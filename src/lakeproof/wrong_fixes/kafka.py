"""Steps on Kafka that only look like a repair."""

from confluent_kafka import KafkaException, TopicPartition

from lakeproof.errors import TerminalError
from lakeproof.install import artifacts
from lakeproof.lake.job.flink_rest import rest_of
from lakeproof.lake.job.spec import make_spec
from lakeproof.lake.job.submission import body_of, find_job
from lakeproof.lake.job.turn import submitting
from lakeproof.lake.job.writer import end_writer
from lakeproof.lake.of_database import OfDatabase
from lakeproof.probes.kafka import admin
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import CDC_TOPIC as TOPIC
from lakeproof.wrong_fixes.wrong_step import WrongStep

END = -1

ASK_SECONDS = 10.0


class EmptyTopic(WrongStep):
    """Delete every record of the capture topic (loses data).

    `topic`: the topic to empty; it must have one partition.
    """

    topic: str = TOPIC

    def typed(self, stack: Stack) -> str:
        """Kafka's own tool."""
        return (
            f"kafka-delete-records --bootstrap-server {stack.address('kafka', 'tcp')} # {self.topic}, up to its end"
        )

    def run(self, stack: Stack) -> str:
        """Delete every record up to the topic's end."""
        partition = TopicPartition(self.topic, 0, END)
        try:
            client = admin(stack)
            # A new client does not know the partition's leader yet, and delete_records would wait for its whole
            # timeout.
            client.list_topics(self.topic, timeout=ASK_SECONDS)
            future = client.delete_records([partition], request_timeout=ASK_SECONDS)[partition]
            low = future.result(timeout=ASK_SECONDS).low_watermark
        except (KafkaException, TimeoutError) as error:
            raise TerminalError(f"could not delete records: {error}", where=self.topic) from error
        return f"{self.topic} now begins at offset {low}"


class StartFromLatest(OfDatabase, WrongStep):
    """Start the lake's job without its state from the end of its topic (loses data).

    A wrong fix: start the lake's job anew, without its state and from the end of the topic, so that it runs at once.

    Records that the job had not read are skipped, and it has forgotten which transactions it had already passed on.
    """

    def typed(self, stack: Stack) -> str:
        """The same by hand. The topic is emptied, because a job without a state begins with the oldest record
        in it.
        """
        flink = stack.url("flink-jobmanager")
        emptied = EmptyTopic(topic=self.source.topic).typed(stack)
        return (
            f"curl -X PATCH '{flink}/jobs/ID?mode=cancel'; {emptied}; curl -X POST {flink}/jars/ID/run # its spec and"
            " no savepointPath"
        )

    def run(self, stack: Stack) -> str:
        """Cancel the job, empty its topic, and submit the job without a state."""
        source, flink = self.source, rest_of(stack)
        with submitting(stack):
            job = find_job(flink, source)
            if job is not None:
                flink.cancel(job.id)
                find_job(flink, source)  # waits for its end
            emptied = EmptyTopic(topic=source.topic).run(stack)
            end_writer(stack, flink, source)
            jar_id = flink.upload(artifacts.path("lake-job") / "lake-job.jar")
            try:
                job_id = flink.run(jar_id, body_of(make_spec(stack, source), source))
            finally:
                flink.delete_jar(jar_id)
        return f"{source.job} was started anew as {job_id}, without a state; {emptied}"

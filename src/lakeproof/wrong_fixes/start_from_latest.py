"""A wrong fix: start the lake's job anew, without its state and from the end of the topic, so that it runs at once.

Records that the job had not read are skipped, and it has forgotten which transactions it had already passed on.
"""

from lakeproof.install import artifacts
from lakeproof.lake.job.flink_rest import rest_of
from lakeproof.lake.job.spec import make_spec
from lakeproof.lake.job.submission import body_of, find_job
from lakeproof.lake.job.turn import submitting
from lakeproof.lake.job.writer import end_writer
from lakeproof.lake.of_database import OfDatabase
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes import empty_topic
from lakeproof.wrong_fixes.wrong_step import WrongStep


def typed(stack: Stack, arguments: OfDatabase) -> str:
    """The same by hand. The topic is emptied, because a job without a state begins with the oldest record in it."""
    flink = stack.url("flink-jobmanager")
    emptied = empty_topic.typed(stack, empty_topic.EmptyTopic(topic=arguments.source.topic))
    return (
        f"curl -X PATCH '{flink}/jobs/ID?mode=cancel'; {emptied}; curl -X POST {flink}/jars/ID/run # its spec and no"
        " savepointPath"
    )


def run(stack: Stack, arguments: OfDatabase) -> str:
    """Cancel the job, empty its topic, and submit the job without a state."""
    source, flink = arguments.source, rest_of(stack)
    with submitting(stack):
        job = find_job(flink, source)
        if job is not None:
            flink.cancel(job.id)
            find_job(flink, source)  # waits for its end
        emptied = empty_topic.run(stack, empty_topic.EmptyTopic(topic=source.topic))
        end_writer(stack, flink, source)
        jar_id = flink.upload(artifacts.path("lake-job") / "lake-job.jar")
        try:
            job_id = flink.run(jar_id, body_of(make_spec(stack, source), source))
        finally:
            flink.delete_jar(jar_id)
    return f"{source.job} was started anew as {job_id}, without a state; {emptied}"


WRONG_STEP = WrongStep(
    "start_from_latest",
    "start the lake's job without its state from the end of its topic (loses data)",
    typed,
    run,
    OfDatabase,
)

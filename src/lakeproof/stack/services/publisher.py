"""publisher: moves all tables to a new checkpoint by one Nessie commit, and audits it (proof/publisher.py)."""

from lakeproof.stack.component import STEPS_BACK, Component, Scrape
from lakeproof.stack.python_module import answers_ok, run_module

COMPONENTS = (
    Component(
        name="publisher",
        kind="service",
        command=run_module("lakeproof.proof.publisher"),
        ready=answers_ok(
            "publisher",
            "Its loop goes round. Where Nessie or the store is away it waits, and says so in /health and in metrics.",
        ),
        uses=("nessie", "minio", "flink-jobmanager"),
        scrapes=(Scrape("http"),),
        start_seconds=60.0,
        summary="publishes checkpoints to the catalog",
        nice=STEPS_BACK,
        one_because="two publishers would race for the same Nessie branch",
    ),
)

"""A source: one database whose changes come into the lake, under one name from its connector to its tables.

What differs between two sources is a field here, or a function of their engine's module (mariadb.py, postgres.py),
which have the same functions. Another source of a known engine is one entry of SOURCES, its connector's file and its
folder of SQL files.

A source with a `capture` is captured from the start of that component until its stop. While that component is
stopped, nothing is submitted, looked at or published for the source, and what was published stays as it is. A killed
supervisor counts as a stop: the next start captures the source only where that is asked for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lakeproof.errors import InvalidInput
from lakeproof.processes.lock import current_run_id
from lakeproof.written import read_if_there, write_file

if TYPE_CHECKING:
    from lakeproof.lake.sources.engine import Engine
    from lakeproof.stack.settings import LakeSettings
    from lakeproof.stack.stack import Stack

_WANTED = "wanted"


@dataclass(frozen=True)
class Source:
    """One captured database.

    name: of the database, and of its lake database and Nessie namespace.
    engine: the component that holds the database. server: that engine's name for people.
    connector: its name in Kafka Connect.
    exporter: the component that writes its heartbeats and measures its delay.
    pause, idle_pause: the wanted seconds between two checkpoints of its job, while rows come and while none do.
    capture: the component that stands for its capture; None: the source is always captured.
    first: True for the source that existed before all others. Existing lakes, scripts, reports and dashboards know it
    by these names: in Nessie's history, in `lake log` and among causes its names have no prefix, and three of the
    publisher's series and /health's `checkpoint` have no label and describe this source alone. Every published commit
    holds a state of it, so no other source is published before it, and its namespace is made together with the lake.
    table_options: Paimon's options for the lake tables of this source alone.
    """

    name: str
    engine: str
    server: str
    connector: str
    exporter: str
    pause: "Callable[[LakeSettings], float]"
    idle_pause: "Callable[[LakeSettings], float]"
    capture: str | None = None
    first: bool = False
    table_options: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def job(self) -> str:
        """The name of the Flink job that writes its tables."""
        return f"lake-{self.name}"

    @property
    def topic(self) -> str:
        """The topic of its changes and transaction markers."""
        return f"cdc.{self.name}"

    @property
    def of(self) -> str:
        """The words that name the source in a sentence; empty for the first source."""
        return "" if self.first else f" of {self.name}"

    def prefix(self, separator: str) -> str:
        """The prefix of its names; empty for the first source."""
        return "" if self.first else f"{self.name}{separator}"

    def checkpoint_seconds(self, stack: "Stack") -> float:
        """The pause between two checkpoints of its job, and so between two published states, while rows come."""
        return self.pause(stack.settings.lake)

    def longest_pause_seconds(self, stack: "Stack") -> float:
        """The pause while no rows come (lake/job/pace.py), or where nobody asks the job for checkpoints."""
        return max(self.pause(stack.settings.lake), self.idle_pause(stack.settings.lake))

    @property
    def module(self) -> "Engine":
        """The functions of its engine."""
        return engine_of(self.engine)

    def secret(self, user: str) -> str:
        """The name of that account's password among the stack's secrets."""
        return f"{self.engine}-{user}"

    def about(self, *components: str) -> tuple[str, ...]:
        """These components, and the one that stands for its capture."""
        return components if self.capture is None else (*components, self.capture)

    @property
    def words(self) -> dict[str, str | None]:
        """Its placeholders in causes.yaml, without the braces (diagnosis/nouns.py)."""
        return {
            "source": self.name,
            "prefix": self.prefix("_"),
            "database": self.name,
            "engine": self.engine,
            "server": self.server,
            "connector": self.connector,
            "exporter": self.exporter,
            "capture": self.capture,
            "job": self.job,
            "topic": self.topic,
        }


OLTP = Source(
    name="oltp",
    engine="mysql",
    server="MariaDB",
    connector="orders",
    exporter="lag-exporter",
    pause=lambda lake: lake.checkpoint_seconds,
    idle_pause=lambda lake: lake.idle_checkpoint_seconds,
    first=True,
)
SHOP = Source(
    name="shop",
    engine="postgres",
    server="PostgreSQL",
    connector="shop",
    exporter="shop-capture",
    pause=lambda lake: lake.shop_checkpoint_seconds,
    idle_pause=lambda lake: lake.shop_idle_checkpoint_seconds,
    capture="shop-capture",
    # The buffer of one table's writer: a dozen tables take few rows each, and share one heap.
    table_options={"write-buffer-size": "16 mb"},
)
SOURCES = (OLTP, SHOP)
NAMES = tuple(source.name for source in SOURCES)
FIRST = next(source for source in SOURCES if source.first)


def find_source(wanted: str, *, by: str = "name") -> Source:
    """The source of that name, or of that connector (`by`). Raises: InvalidInput that lists what there is."""
    known = {str(getattr(source, by)): source for source in SOURCES}
    if wanted not in known:
        raise InvalidInput(f"no captured database of {by} {wanted!r}", next_action=f"one of {', '.join(known)}")
    return known[wanted]


def engine_of(engine: str) -> "Engine":
    """The module of that engine. A process that never asks one engine does not load its driver."""
    if engine == "mysql":
        from lakeproof.lake.sources import mariadb

        return mariadb
    from lakeproof.lake.sources import postgres

    return postgres


def present(stack: "Stack") -> tuple[Source, ...]:
    """The sources that are captured in this stack now.

    Not the same question as which components are part of the stack (processes/parts.py): a capture that was stopped
    by hand is still part of it and captures nothing. Probes ask this too, and they ask no supervisor.
    """
    if stack.settings.mode == "external":
        there = stack.settings.endpoints
        return tuple(source for source in SOURCES if source.capture is None or source.capture in there)
    run_id = current_run_id(stack)
    return tuple(
        source
        for source in SOURCES
        if source.capture is None
        # The file holds the id of the supervisor's run in which the capture was last wanted.
        or (run_id is not None and read_if_there(stack.data_dir(source.capture) / _WANTED) == run_id)
    )


def want(stack: "Stack", capture: str, *, wanted: bool) -> None:
    """Note whether the source of that capture is captured in this stack, for whoever starts or publishes jobs.

    The note counts only for the supervisor that runs now, since a killed supervisor cannot take its note back.
    """
    mark = stack.data_dir(capture) / _WANTED
    if wanted:
        write_file(mark, current_run_id(stack) or "")
    else:
        mark.unlink(missing_ok=True)

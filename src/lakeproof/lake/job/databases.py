"""The source databases of the lake: one topic, one job and one publisher's cut each, under the database's name.

MariaDB's `oltp` is always there. PostgreSQL's `shop` is there from the start of the component shop-capture until its
stop: without it nothing is submitted, looked at or published for it, and what was published stays as it is. An end
without a stop (a killed supervisor) is one too: the next start knows PostgreSQL only where it is asked for.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakeproof.errors import InvalidInput
from lakeproof.written import write_file

if TYPE_CHECKING:
    from lakeproof.stack.stack import Stack

CAPTURE = "shop-capture"
_WANTED = "wanted"


@dataclass(frozen=True)
class LakeDatabase:
    """One source database. Its lake tables lie in a database, and a Nessie namespace, of the same name.

    engine: the component that holds it.
    """

    name: str
    engine: str

    @property
    def job_name(self) -> str:
        """The Flink job that writes its tables."""
        return f"lake-{self.name}"

    @property
    def topic(self) -> str:
        """Where its changes and transaction markers come from."""
        return f"cdc.{self.name}"

    def checkpoint_seconds(self, stack: "Stack") -> float:
        """The pause between two checkpoints of its job, and so between two published states."""
        lake = stack.settings.lake
        return lake.checkpoint_seconds if self == OLTP else lake.shop_checkpoint_seconds


OLTP = LakeDatabase("oltp", "mysql")
SHOP = LakeDatabase("shop", "postgres")
DATABASES = (OLTP, SHOP)
SCHEMAS = tuple(database.name for database in DATABASES)


def find_database(name: str) -> LakeDatabase:
    """The database of that name. Raises: InvalidInput that lists the names."""
    for database in DATABASES:
        if database.name == name:
            return database
    raise InvalidInput(f"the lake has no database {name!r}", next_action=f"one of {', '.join(SCHEMAS)}")


def present(stack: "Stack") -> tuple[LakeDatabase, ...]:
    """The databases that are captured in this stack now.

    Not the same question as which components are part of the stack (processes/parts.py): a shop-capture that was
    stopped by hand is still part of it and captures nothing. Probes ask this too, and they ask no supervisor.
    """
    if stack.settings.mode == "external":
        return DATABASES if CAPTURE in stack.settings.endpoints else (OLTP,)
    from lakeproof.processes.run import current_run_id

    run_id = current_run_id(stack)
    return DATABASES if run_id is not None and _wanted_in(stack) == run_id else (OLTP,)


def want_shop(stack: "Stack", *, wanted: bool) -> None:
    """Note whether PostgreSQL is captured in this stack, for whoever starts or publishes jobs.

    The note holds as long as the supervisor that runs now: a killed one cannot take it back.
    """
    from lakeproof.processes.run import current_run_id

    mark = stack.data_dir(CAPTURE) / _WANTED
    if wanted:
        write_file(mark, current_run_id(stack) or "")
    else:
        mark.unlink(missing_ok=True)


def _wanted_in(stack: "Stack") -> str | None:
    """The run that PostgreSQL was last wanted in."""
    try:
        return (stack.data_dir(CAPTURE) / _WANTED).read_text()
    except FileNotFoundError:
        return None

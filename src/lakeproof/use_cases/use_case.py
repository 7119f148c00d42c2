"""A use case: its question to the lake, the tables that it reads, and how old their data may be.

Each YAML file of this folder is one use case; there is no other list. A scenario names the use cases that it concerns
by the names of these files, and an incident takes them over from its scenario.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from lakeproof.diagnosis.cause_file import Texts
from lakeproof.errors import InvalidInput
from lakeproof.lake.job.sql_files import table_names
from lakeproof.lake.query.statement import require_reading
from lakeproof.lake.sources.source import NAMES
from lakeproof.strict_model import StrictModel
from lakeproof.unknown_name import unknown_name
from lakeproof.yaml_file import read_yaml

HERE = Path(__file__).parents[2] / "lakeproof_shop" / "use_cases"
# The service levels that the runbook promises, in seconds.
SERVICE_LEVELS: Mapping[str, int] = {"realtime": 120, "batch": 1800}
IDS = tuple(sorted(path.stem for path in HERE.glob("*.yaml")))
_TABLE = re.compile(rf"\b(?:{'|'.join(NAMES)})\.[a-z_]+")


@dataclass(frozen=True)
class UseCase:
    """One use of the lake.

    asks: the question in words, by language.
    query: the question in SQL that Trino, Spark and Flink all accept.
    tables: the lake's tables that the query reads, as DATABASE.TABLE.
    beside: tables that the use case needs and the lake does not have.
    """

    id: str
    titles: Mapping[str, str]
    asks: Mapping[str, str]
    query: str
    tables: tuple[str, ...]
    beside: tuple[str, ...]
    service_level: str

    @property
    def target_seconds(self) -> int:
        """How old the data on `main` may be."""
        return SERVICE_LEVELS[self.service_level]

    @property
    def databases(self) -> tuple[str, ...]:
        """The databases of its tables, sorted."""
        return tuple(sorted({table.partition(".")[0] for table in self.tables}))

    @property
    def freshness(self) -> str:
        """PromQL: for each of its databases, the age in seconds of the newest heartbeat on `main`.

        A publisher that is down exports no value, while the data on `main` still grow older. So the newest value of
        the last hour counts. A database without any value was not published.
        """
        chosen = f'database=~"{"|".join(self.databases)}"'
        beat = f"last_over_time(lakeproof_publish_database_beat_timestamp_seconds{{{chosen}}}[1h])"
        return f"time() - max by (database) ({beat})"


class UseCaseModel(StrictModel):
    """The file NAME.yaml."""

    titles: Texts
    asks: Texts
    service_level: Literal["realtime", "batch"]
    query: str
    beside: list[str] = Field(default_factory=list)


def read_use_case(path: Path) -> UseCase:
    """The use case of that file. Raises: InvalidInput for a wrong key, a query that writes, or an unknown table."""
    model = read_yaml(path, UseCaseModel)
    query = require_reading(model.query)
    tables = tuple(sorted(set(_TABLE.findall(query))))
    for table in tables:
        database, _, name = table.partition(".")
        if name not in table_names(database):
            raise unknown_name(f"table of {database}", name, table_names(database), where=str(path))
    if not tables:
        raise InvalidInput("the query reads no table", where=str(path), next_action="name tables as oltp.orders")
    return UseCase(
        id=path.stem,
        titles=model.titles.model_dump(),
        asks=model.asks.model_dump(),
        query=query,
        tables=tables,
        beside=tuple(model.beside),
        service_level=model.service_level,
    )


@cache
def use_cases() -> Mapping[str, UseCase]:
    """All use cases by id, in the order of their ids. Raises: InvalidInput."""
    return {name: read_use_case(HERE / f"{name}.yaml") for name in IDS}


def find_use_case(name: str) -> UseCase:
    """The use case with that id. Raises: InvalidInput that lists the ids."""
    if name not in IDS:
        raise unknown_name("use case", name, IDS)
    return use_cases()[name]

"""The arguments of faults, mitigations and checks that concern one captured database, or an account of it."""

from typing import Annotated

from pydantic import AfterValidator

from lakeproof.arguments import Arguments, OfAccount
from lakeproof.lake.sources.source import NAMES, OLTP, Source, find_source


def _known(name: str) -> str:
    if name not in NAMES:
        raise ValueError(f"should be {' or '.join(NAMES)}")
    return name


class OfDatabase(Arguments):
    """`database`: oltp (MariaDB) or shop (PostgreSQL)."""

    database: Annotated[str, AfterValidator(_known)] = OLTP.name

    @property
    def source(self) -> Source:
        """The captured database that `database` names."""
        return find_source(self.database)


class OfAccountOfDatabase(OfDatabase, OfAccount):
    """`database` and `user`."""

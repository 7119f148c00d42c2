"""The arguments of what is done to one captured database, or to an account of it."""

from lakeproof.arguments import Arguments, OfAccount
from lakeproof.lake.sources.source import OLTP, Source, SourceName, find_source


class OfDatabase(Arguments):
    """`database`: oltp (MariaDB) or shop (PostgreSQL)."""

    database: SourceName = OLTP.name

    @property
    def source(self) -> Source:
        """What is known of it."""
        return find_source(self.database)


class OfAccountOfDatabase(OfDatabase, OfAccount):
    """Both."""

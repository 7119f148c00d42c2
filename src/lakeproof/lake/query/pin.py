"""A published hash as a catalog in Trino: a Nessie tag on the hash, and a catalog on that tag, dropped after use.

Trino resolves each table of a statement by itself, so a plain read of `main` may see two hashes in one statement;
its Nessie catalog takes no bare hash. A catalog costs 0.1–0.25 s on 2 cores, and nothing in the statement has to be
rewritten: the user's `oltp.orders` is found in the pinned catalog.
"""

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lakeproof.errors import LakeproofError
from lakeproof.lake.nessie import NessieClient, NoSuchReference, Reference
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.history import MAIN, Looking
from lakeproof.lake.query.answer import NotBegun, StatementFailed
from lakeproof.stack.engines.trino import catalog_properties
from lakeproof.stack.stack import Stack

log = logging.getLogger(__name__)

# Pins of a killed process are removed by a later process, once they are older than any query may run.
FORGOTTEN_SECONDS = 3600
# A hash's files never change, so a cache lets each manifest be read once, and not once for each table and snapshot
# that leads to it. The catalog `lake` follows `main` and has no cache.
_CACHE = {"iceberg.metadata-cache.enabled": "true", "fs.memory-cache.max-size": "32MB"}
_NAME = re.compile(r"lake_at_[0-9a-f]{12}_(?P<made>[0-9a-f]{8})_[0-9a-f]{4}")

type RunInTrino = Callable[[str], object]


def _pin_name(commit: PublishedCommit) -> str:
    """Unique for each use: two readers of one hash must not drop each other's catalog."""
    return f"lake_at_{commit.hash[:12]}_{int(time.time()):08x}_{secrets.token_hex(2)}"


def is_forgotten(name: str, now: float) -> bool:
    """True for the name of a pin that is older than any query may run."""
    found = _NAME.fullmatch(name)
    return found is not None and now - int(found["made"], 16) > FORGOTTEN_SECONDS


@contextmanager
def pinned_catalog(stack: Stack, commit: PublishedCommit, run_in_trino: RunInTrino) -> Iterator[str]:
    """The name of a Trino catalog that shows the lake at that hash, while the context lasts.

    Raises: CouldNotLook where Nessie does not answer, and what `run_in_trino` raises.
    """
    name = _pin_name(commit)
    with Looking(stack) as nessie:
        tag = nessie.create_reference("TAG", name, Reference("BRANCH", MAIN, commit.hash))
        begun = True
        try:
            try:
                run_in_trino(create_catalog_sql(name, catalog_properties(stack, name) | _CACHE))
            except NotBegun:
                begun = False
                raise
            yield name
        finally:
            # A sweep finds a catalog by its tag alone, so the tag stays where the catalog may still stand.
            if not begun or _drop(name, run_in_trino) is None:
                _drop_tag(nessie, tag)
            _sweep(nessie, run_in_trino)


def create_catalog_sql(name: str, properties: dict[str, str]) -> str:
    """CREATE CATALOG. S3 keys are references that Trino resolves, so that Trino's list of queries shows no key."""
    listed = ", ".join(f"\"{key}\" = '{value}'" for key, value in properties.items())
    return f"CREATE CATALOG {name} USING iceberg WITH ({listed})"


def _drop(name: str, run_in_trino: RunInTrino) -> LakeproofError | None:
    """Drop the catalog, where it is there. Gives the error by which Trino did not say that it is gone."""
    try:
        run_in_trino(f"DROP CATALOG IF EXISTS {name}")
    except LakeproofError as error:
        log.info("catalog %s stays until a later sweep: %s", name, error.message)
        return error
    return None


def _drop_tag(nessie: NessieClient, tag: Reference) -> None:
    try:
        nessie.delete(tag)
    except NoSuchReference:
        pass  # a sweep of somebody else's was first
    except (LakeproofError, ValueError) as error:
        log.info("tag %s stays until a later sweep: %s", tag.name, error)


def _sweep(nessie: NessieClient, run_in_trino: RunInTrino) -> None:
    try:
        tags = [each for each in nessie.references() if each.kind == "TAG"]
    except (LakeproofError, ValueError) as error:  # a later sweep removes them; the query's own outcome counts
        log.info("no sweep of forgotten pins: %s", error)
        return
    for tag in tags:
        if is_forgotten(tag.name, time.time()):
            kept_by = _drop(tag.name, run_in_trino)
            if kept_by is None:
                _drop_tag(nessie, tag)
            elif not isinstance(kept_by, StatementFailed):
                return  # Trino is away: it would not drop the next one either, and each try may take seconds

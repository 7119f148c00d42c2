"""Nessie: the oldest commit of `main`, and the branch `ingest`, which begins there."""

from contextlib import closing

from lakeproof.lake.nessie import NessieConflict, NoSuchReference, client_of
from lakeproof.lake.sources.source import FIRST
from lakeproof.stack.stack import Stack


def provision(stack: Stack) -> None:
    """Make the namespace on `main` and the branch `ingest`, if missing. Safe to repeat, and to run twice at once."""
    with closing(client_of(stack, timeout_seconds=20.0)) as nessie:
        main = nessie.reference("main")
        if next(nessie.history("main", 1), None) is None:
            try:
                # The namespace of the tables that are published first. Another source's comes with its first tables.
                main = nessie.create_namespace(main, FIRST.name)
            except NessieConflict:
                main = nessie.reference("main")
        try:
            nessie.reference("ingest")
        except NoSuchReference:
            try:
                nessie.create_reference("BRANCH", "ingest", main)
            except NessieConflict:
                nessie.reference("ingest")

"""Nessie: the namespace of the first tables on `main`, and the branch `ingest`."""

from lakeproof.lake.nessie import NessieConflict, NoSuchReference, client_of
from lakeproof.stack.stack import Stack

NAMESPACE = "oltp"


def provision(stack: Stack) -> None:
    """Have the namespace on `main`, and the branch `ingest`. Safe to repeat and to race."""
    nessie = client_of(stack, timeout_seconds=20.0)
    try:
        main = nessie.reference("main")
        if next(nessie.history("main", 1), None) is None:
            try:
                main = nessie.create_namespace(main, NAMESPACE)
            except NessieConflict:
                main = nessie.reference("main")
        try:
            nessie.reference("ingest")
        except NoSuchReference:
            try:
                nessie.create_reference("BRANCH", "ingest", main)
            except NessieConflict:
                nessie.reference("ingest")
    finally:
        nessie.close()

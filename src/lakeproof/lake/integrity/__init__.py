"""Do ledger, database and lake say the same? Digests by bucket inside each engine, rows only where they differ."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakeproof.lake.publish.full_audit import Audited
    from lakeproof.stack.stack import Stack


def audit_published(stack: "Stack", after: str | None) -> "Audited":
    """The publisher's hook: integrity/audit.py says what it does. Loaded when it is first asked for."""
    from lakeproof.lake.integrity import audit

    return audit.audit_published(stack, after)

"""The key of the act that wrote a line, so that the act repeated after a lost answer writes no second one."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `key`; older lines have none."""
    op.add_column("entries", sa.Column("key", sa.String(64)))
    op.create_index("ix_entries_key", "entries", ["key"], unique=True)

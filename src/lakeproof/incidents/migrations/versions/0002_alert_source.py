"""Which Alertmanager an alert came from."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `source`; what is known of older alerts is nothing."""
    op.add_column("alerts", sa.Column("source", sa.String(512), nullable=False, server_default=""))

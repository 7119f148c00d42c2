"""When a merge brought an alert into an incident."""

import sqlalchemy as sa
from alembic import op

from lakeproof.incidents.models import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `merged_at`; of alerts that were merged before, it is not known."""
    op.add_column("alerts", sa.Column("merged_at", UtcDateTime))

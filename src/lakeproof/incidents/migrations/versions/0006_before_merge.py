"""What an incident said of itself before others were merged into it, so that parting them gives it back."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `before_merge`; of incidents that hold parts already it is not known."""
    op.add_column("incidents", sa.Column("before_merge", sa.JSON))

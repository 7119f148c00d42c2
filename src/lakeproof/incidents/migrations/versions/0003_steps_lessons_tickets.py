"""The step of full recovery, lessons, checklists, merged incidents, tickets, reviews of the runbook."""

import sqlalchemy as sa
from alembic import op

from lakeproof.incidents.models import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Older incidents have no lesson, no ticket, and are parts of no other one."""
    op.add_column("incidents", sa.Column("verifying_at", UtcDateTime))
    op.add_column("incidents", sa.Column("lesson", sa.Text, nullable=False, server_default=""))
    op.add_column("incidents", sa.Column("lesson_by", sa.String(128), nullable=False, server_default=""))
    op.add_column("incidents", sa.Column("merged_into", sa.Integer))
    op.create_index("ix_incidents_merged_into", "incidents", ["merged_into"])
    op.add_column("alerts", sa.Column("home_id", sa.Integer))
    op.create_table(
        "answers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("incident_id", sa.Integer, sa.ForeignKey("incidents.id"), nullable=False, index=True),
        sa.Column("item", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("who", sa.String(128), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.UniqueConstraint("incident_id", "item"),
    )
    op.create_table(
        "tickets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("incident_id", sa.Integer, sa.ForeignKey("incidents.id"), nullable=False, unique=True),
        sa.Column("key", sa.String(256), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("told", sa.Integer, nullable=False),
        sa.Column("asked_at", UtcDateTime),
        sa.Column("next_at", UtcDateTime),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_table(
        "runbook_reviews",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("page", sa.String(128), nullable=False, index=True),
        sa.Column("who", sa.String(128), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )

"""Alembic's entry: migrations run on the connection that `incidents.database.migrate` gives."""

from alembic import context

from lakeproof.incidents.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

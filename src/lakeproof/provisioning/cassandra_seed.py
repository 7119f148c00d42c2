"""Cassandra's ring: our superuser, keyspaces, tables and roles, made while its first node is alone."""

from importlib.resources import files

from cassandra import DriverException
from cassandra.cluster import NoHostAvailable, Session

from lakeproof.errors import NotReady, TerminalError
from lakeproof.provisioning import statements_of
from lakeproof.stack import provisioned
from lakeproof.stack.engines import cassandra, cassandra_config, cassandra_roles
from lakeproof.stack.engines.cassandra_roles import FACTORY_ROLE, SUPERUSER, SUPERUSER_SECRET
from lakeproof.stack.engines.cassandra_session import session
from lakeproof.stack.stack import Stack

# Packages that bring tables, each with a schema.cql.
SCHEMAS = ("lakeproof_shop.services.inventory", "lakeproof_shop.projector")
REPLICATION = "{'class': 'NetworkTopologyStrategy', '" + cassandra_config.DATACENTER + "': 3}"
KEYSPACES = ("inventory", "projections")
PROVISION_SECONDS = 20.0


def schema_statements() -> list[str]:
    """The tables' DDL, one statement each."""
    scripts = (files(package).joinpath("schema.cql") for package in SCHEMAS)
    return [each for script in scripts for each in statements_of(script.read_text(encoding="utf-8"))]


def provision(stack: Stack) -> None:
    """Once the first node is ready: our superuser, keyspaces, tables and roles. What exists stays as it is.

    In a ring of four, each node lacks the copies of some accounts. While the other nodes are down, an account that
    the first node lacks cannot log in there. Provision then does nothing, if everything is made already.
    Raises: TerminalError where the superuser's password is not the one that this ring was made with; NotReady.
    """
    try:
        if cassandra.is_new(stack):
            _take_over(stack)
            provisioned.remember(stack, cassandra.SEED, "superuser", SUPERUSER)
        with session(
            stack, SUPERUSER, stack.secret(SUPERUSER_SECRET), seconds=PROVISION_SECONDS, nodes=(cassandra.SEED,)
        ) as ring:
            _make_tables_and_roles(stack, ring)
    except NoHostAvailable as error:
        if cassandra.lacks_account(error) and _is_made(stack):
            return
        if cassandra.is_refused_login(error) and not cassandra.lacks_account(error):
            raise TerminalError(
                f"the password of {SUPERUSER} in secrets.json is not the one that this ring was made with",
                where=str(stack.state_dir / "secrets.json"),
                next_action="put the old secrets.json back, or remove the whole stack's state",
            ) from error
        raise NotReady(f"provision was cut off: {error}", where=cassandra.SEED) from error
    except DriverException as error:
        raise NotReady(f"provision was cut off: {type(error).__name__} {error}", where=cassandra.SEED) from error


def _take_over(stack: Stack) -> None:
    """Make our superuser, and shut out the one that every new ring comes with. Safe to repeat."""
    password = stack.secret(SUPERUSER_SECRET)
    try:
        with session(stack, FACTORY_ROLE, FACTORY_ROLE, seconds=PROVISION_SECONDS, nodes=(cassandra.SEED,)) as ring:
            ring.execute(
                f"CREATE ROLE IF NOT EXISTS {SUPERUSER}"
                f" WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = '{password}'"
            )
    except NoHostAvailable as error:
        if not cassandra.is_refused_login(error):
            raise
    with session(stack, SUPERUSER, password, seconds=PROVISION_SECONDS, nodes=(cassandra.SEED,)) as ring:
        ring.execute(f"ALTER ROLE {FACTORY_ROLE} WITH SUPERUSER = false AND LOGIN = false")


def _digests() -> tuple[str, str]:
    """The digests of the definitions by which the tables and the roles are to be made."""
    tables = provisioned.digest(REPLICATION, *KEYSPACES, *schema_statements())
    return tables, provisioned.digest(*cassandra_roles.statements(lambda secret: secret))


def _is_made(stack: Stack) -> bool:
    tables, roles = _digests()
    return provisioned.is_made(stack, cassandra.SEED, "tables", tables) and provisioned.is_made(
        stack, cassandra.SEED, "roles", roles
    )


def _make_tables_and_roles(stack: Stack, ring: Session) -> None:
    tables, roles = _digests()
    if not provisioned.is_made(stack, cassandra.SEED, "tables", tables):
        for keyspace in KEYSPACES:
            ring.execute(f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {REPLICATION}")
        for statement in schema_statements():
            ring.execute(statement)
        provisioned.remember(stack, cassandra.SEED, "tables", tables)
    if not provisioned.is_made(stack, cassandra.SEED, "roles", roles):
        for statement in cassandra_roles.statements(stack.secret):
            ring.execute(statement)
        # Last, so that the two nodes that join later copy the roles. Cassandra refuses it while these two are down.
        (auth,) = ring.execute("SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'system_auth'")
        if cassandra_config.DATACENTER not in auth.replication:
            ring.execute(f"ALTER KEYSPACE system_auth WITH replication = {REPLICATION}")
        provisioned.remember(stack, cassandra.SEED, "roles", roles)

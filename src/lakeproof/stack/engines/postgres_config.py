"""PostgreSQL's configuration: its files as text, and where its socket lies."""

from pathlib import Path

from lakeproof.stack import own_folder
from lakeproof.stack.stack import Stack

NAME = "postgres"
ROOT_USER, ROOT_SECRET = "postgres", "postgres-root"
MAX_CONNECTIONS = 200
SLOT_KEEPS = "512MB"  # a slot that nobody reads is lost once it would keep more WAL; else the disk would fill up


def postgresql_conf(stack: Stack, database: Path) -> str:
    """The server's configuration; every option is valid in 15 and in 17."""
    etc = stack.etc_dir(NAME)
    return f"""\
data_directory = '{database}'
hba_file = '{etc / "pg_hba.conf"}'
ident_file = '{etc / "pg_ident.conf"}'
listen_addresses = '{stack.settings.host}'
port = {stack.port(NAME, "tcp")}
unix_socket_directories = '{socket_folder(stack)}'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
max_connections = {MAX_CONNECTIONS}
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
# what was acknowledged survives kill -9 and a power cut
fsync = on
synchronous_commit = on
full_page_writes = on
# change capture
wal_level = logical
max_wal_senders = 6
max_replication_slots = 6
max_slot_wal_keep_size = {SLOT_KEEPS}
# the statement of a client that died ends soon, and with it the locks that it holds
client_connection_check_interval = 1s
# small
shared_buffers = 32MB
min_wal_size = 64MB
max_wal_size = 512MB
max_parallel_workers_per_gather = 0
jit = off
# nothing of it outside its own folder, and no need of /dev/shm
dynamic_shared_memory_type = mmap
# no statement in the log: passwords stand in some
log_destination = 'stderr'
logging_collector = off
log_min_error_statement = panic
"""


# Every login, by TCP or by the socket, needs a password. There is no line for replication: nobody copies the server.
PG_HBA = """\
local all all scram-sha-256
host all all 127.0.0.0/8 scram-sha-256
"""


def socket_folder(stack: Stack) -> Path:
    """The folder of the socket. The socket's name has the port, so the longest name decides whether the path fits."""
    return own_folder.socket_folder(stack, NAME, ".s.PGSQL.65535")

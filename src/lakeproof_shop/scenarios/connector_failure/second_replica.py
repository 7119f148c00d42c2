"""The replica of the fault taken_server_id:
`python -m lakeproof_shop.scenarios.connector_failure.second_replica ACCOUNT SERVER_ID`.

It follows MariaDB's binlog as a replica of that server id does, keeps nothing, and connects again when it is cut off.
The server lets one reader in for each id, and ends the one that was there before.
"""

import struct
import sys
import time
from typing import Any

import pymysql

from lakeproof.processes.detached import detach
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack, load_stack

READ_SECONDS = 10.0
PAUSE_SECONDS = 0.5
# A server that has been gone for this long was taken down, and the replica ends with it.
GONE_SECONDS = 120.0
# The numbers of two commands in the client/server protocol.
COM_BINLOG_DUMP, COM_REGISTER_SLAVE = 0x12, 0x15


def follow(stack: Stack, account: str, server_id: int) -> None:
    """Read the binlog and forget it; returns once the server is gone for good."""
    answered = time.monotonic()
    while time.monotonic() - answered < GONE_SECONDS:
        try:
            with mysql.connect(stack, account, f"mysql-{account}", READ_SECONDS) as connection:
                session: Any = connection
                with session.cursor() as cursor:
                    cursor.execute("SET @master_binlog_checksum = @@global.binlog_checksum")
                    cursor.execute("SHOW MASTER STATUS")
                    file, position = cursor.fetchone()[:2]
                # Host, account and password of the replica, left empty, then port, rank and the server's own id.
                session._execute_command(COM_REGISTER_SLAVE, struct.pack("<I3xHII", server_id, 0, 0, 0))
                session._read_packet()
                begin = struct.pack("<IHI", int(position), 0, server_id) + str(file).encode()
                session._execute_command(COM_BINLOG_DUMP, begin)
                while True:
                    session._read_packet()
                    answered = time.monotonic()
        except (pymysql.MySQLError, OSError):
            time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    stack_of_caller = load_stack()
    detach()
    follow(stack_of_caller, sys.argv[1], int(sys.argv[2]))

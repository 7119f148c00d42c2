"""The CQL of the inventory service: each statement once, prepared at the start."""

from lakeproof_shop.serving.database.cassandra import Statement

# Ended lines and receipts are kept longer than their requests (7 days, schema.cql), so that no retry acts twice.
KEPT_SECONDS = 8 * 86_400
EVENT_KEPT_SECONDS = 7 * 86_400
EVENTS_AT_ONCE = 500
# Stands in every statement whose row has no end. Without it the table's default_time_to_live would apply, and one
# mistaken ALTER TABLE would let a SKU's totals expire.
FOR_EVER = "USING TTL 0"

TOTALS = Statement(
    "SELECT version, received, sold, reserved, active, events FROM inventory.stock WHERE sku = ? LIMIT 1", serial=True
)
LINES = Statement(
    "SELECT id, state, quantity, digest, expires_at, created_at, op FROM inventory.stock"
    " WHERE sku = ? AND kind IN ('line', 'receipt') AND n = 0 AND id IN ?",
    serial=True,
)
# One row for each SKU: static columns only.
ALL_TOTALS = Statement(
    "SELECT DISTINCT sku, version, received, sold, reserved, active, events, sent, swept FROM inventory.stock"
)
DUE = Statement("SELECT n, id FROM inventory.stock WHERE sku = ? AND kind = 'due' AND n > ? AND n <= ?")
EVENTS = Statement(
    f"SELECT n, id, payload FROM inventory.stock WHERE sku = ? AND kind = 'event' AND n > ? LIMIT {EVENTS_AT_ONCE}"
)
MARK_SWEPT = Statement(f"UPDATE inventory.stock {FOR_EVER} SET swept = ? WHERE sku = ?")
MARK_SENT = Statement(f"UPDATE inventory.stock {FOR_EVER} SET sent = ? WHERE sku = ?")

SET_TOTALS = Statement(
    f"UPDATE inventory.stock {FOR_EVER} SET version = ?, received = ?, sold = ?, reserved = ?, active = ?, events = ?"
    " WHERE sku = ? IF version = ?",
    conditional=True,
)
_COLUMNS = "state = ?, quantity = ?, digest = ?, expires_at = ?, created_at = ?, op = ?"
# The digest is compared too: a held line of the same id may be another request's, with other units, and ending that
# line by this request's units would leave the totals wrong.
_AS_IT_WAS = "IF state = ? AND digest = ?"
# UPDATE, not INSERT: an UPDATE writes no row marker, so the row vanishes when the TTL of its columns is over.
SET_LINE = Statement(
    f"UPDATE inventory.stock {FOR_EVER} SET {_COLUMNS} WHERE sku = ? AND kind = ? AND n = 0 AND id = ? {_AS_IT_WAS}",
    conditional=True,
)
END_LINE = Statement(
    f"UPDATE inventory.stock USING TTL {KEPT_SECONDS} SET {_COLUMNS} WHERE sku = ? AND kind = ? AND n = 0 AND id = ?"
    f" {_AS_IT_WAS}",
    conditional=True,
)
DELETE_LINE = Statement(
    f"DELETE FROM inventory.stock WHERE sku = ? AND kind = 'line' AND n = 0 AND id = ? {_AS_IT_WAS}", conditional=True
)
ADD_DUE = Statement(
    f"UPDATE inventory.stock USING TTL {KEPT_SECONDS} SET op = ? WHERE sku = ? AND kind = 'due' AND n = ? AND id = ?",
    conditional=True,
)
ADD_EVENT = Statement(
    f"UPDATE inventory.stock USING TTL {EVENT_KEPT_SECONDS} SET payload = ?, op = ?"
    " WHERE sku = ? AND kind = 'event' AND n = ? AND id = ?",
    conditional=True,
)

# The columns of a request stand in the order in which Ring.write_once gives back a row that is there already.
FIND_REQUEST = Statement(
    "SELECT id, created_at, digest, expires_at, lines, order_key FROM inventory.requests WHERE id = ?"
)
ADD_REQUEST = Statement(
    "INSERT INTO inventory.requests (id, created_at, digest, expires_at, lines, order_key) VALUES (?, ?, ?, ?, ?, ?)"
    " IF NOT EXISTS",
    conditional=True,
)
# Without USING TTL: the row lives for the default_time_to_live of its table.
ADD_RESERVATION = Statement(
    "INSERT INTO inventory.reservations (id, order_key, lines, expires_at, created_at) VALUES (?, ?, ?, ?, ?)"
)
WHICH_RESERVATIONS = Statement("SELECT id FROM inventory.reservations WHERE id IN ?")
TABLE_TTL = Statement(
    "SELECT default_time_to_live FROM system_schema.tables"
    " WHERE keyspace_name = 'inventory' AND table_name = 'reservations'"
)
# One partition (it need not exist): a node may ask another replica while one hangs, which it never does for a scan.
HEALTH = Statement("SELECT sku FROM inventory.stock WHERE sku = 'health'")

STATEMENTS = (
    TOTALS,
    LINES,
    ALL_TOTALS,
    DUE,
    EVENTS,
    MARK_SENT,
    MARK_SWEPT,
    SET_TOTALS,
    SET_LINE,
    END_LINE,
    DELETE_LINE,
    ADD_DUE,
    ADD_EVENT,
    FIND_REQUEST,
    ADD_REQUEST,
    ADD_RESERVATION,
    WHICH_RESERVATIONS,
    TABLE_TTL,
    HEALTH,
)

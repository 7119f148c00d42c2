"""The CQL of the projections: each statement once, prepared at the start."""

from lakeproof_shop.serving.database.cassandra import Statement

PROJECTION = "orders_by_customer"

UPSERT = Statement(
    f"INSERT INTO projections.{PROJECTION}"
    " (customer_id, order_id, status, total, item_count, version, created_us, updated_us)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
)
DELETE = Statement(f"DELETE FROM projections.{PROJECTION} USING TIMESTAMP ? WHERE customer_id = ? AND order_id = ?")
SET_COVERED = Statement(
    "INSERT INTO projections.progress (projection, part, covers_us) VALUES (?, ?, ?) USING TIMESTAMP ?"
)
SET_ASIDE = Statement("INSERT INTO projections.set_aside (topic, part, place, why, value) VALUES (?, ?, ?, ?, ?)")
PROGRESS = Statement("SELECT part, covers_us FROM projections.progress WHERE projection = ?")
OF_CUSTOMER = Statement(
    f"SELECT order_id, status, total, item_count, version, created_us, updated_us FROM projections.{PROJECTION}"
    " WHERE customer_id = ? LIMIT ?"
)
WRITES = (UPSERT, DELETE, SET_COVERED, SET_ASIDE, PROGRESS)
READS = (PROGRESS, OF_CUSTOMER)

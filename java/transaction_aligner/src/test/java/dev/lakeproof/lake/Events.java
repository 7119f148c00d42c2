// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.catalog.UniqueConstraint;
import org.apache.flink.table.types.DataType;

/** What a connector would write, and tables to read it with. */
final class Events {
    static final ObjectMapper JSON = new ObjectMapper();
    static final String NULL = "null";

    private Events() {}

    /** {@code oltp_orders (id BIGINT, status STRING)} with primary key id. */
    static CapturedTable orders() {
        return table("oltp.orders", "changes", Column.physical("id", DataTypes.BIGINT().notNull()),
                Column.physical("status", DataTypes.STRING()));
    }

    /** {@code oltp_order_events (id BIGINT)}, append-only. */
    static CapturedTable orderEvents() {
        return table("oltp.order_events", "append", Column.physical("id", DataTypes.BIGINT().notNull()));
    }

    /** A topic of the orders' id and status, with the heartbeat of {@code oltp.beats.at}. */
    static ResultTopic results(int partitions) {
        ResolvedSchema columns = schema(Column.physical("id", DataTypes.BIGINT().notNull()),
                Column.physical("status", DataTypes.STRING()));
        return new ResultTopic(
                "results.orders", partitions, columns, Map.of("table", "oltp.orders", "beat", "oltp.beats.at"));
    }

    static CapturedTable table(String source, String mode, Column... columns) {
        return new CapturedTable(source.replace('.', '_'), schema(columns), Map.of("table", source, "mode", mode));
    }

    /** One column {@code value} of this type. */
    static CapturedTable oneColumn(DataType type) {
        return new CapturedTable("v", new ResolvedSchema(List.of(Column.physical("value", type)), List.of(), null),
                Map.of("table", "oltp.t"));
    }

    static ResolvedSchema schema(Column... columns) {
        return new ResolvedSchema(List.of(columns), List.of(), UniqueConstraint.primaryKey("pk", List.of("id")));
    }

    /** A change of a row of {@code table} at a position of the log; {@code before} and {@code after} are JSON. */
    static byte[] change(String id, String table, long position, String op, String before, String after) {
        return bytes("""
                {"op": "%s", "before": %s, "after": %s,
                 "source": {"db": "oltp", "table": "%s", "file": "mysql-bin.000001", "pos": %d, "row": 0, "ts_us": 1000},
                 "transaction": {"id": "%s", "total_order": 1, "data_collection_order": 1}}
                """.formatted(op, before, after, table, position, id));
    }

    static byte[] order(String id, long position, long order) {
        return change(id, "orders", position, "c", NULL, "{\"id\": %d, \"status\": \"new\"}".formatted(order));
    }

    static byte[] event(String id, long position, long number) {
        return change(id, "order_events", position, "c", NULL, "{\"id\": %d}".formatted(number));
    }

    /** A change of PostgreSQL's; its tables stand in the schema {@code oltp}, so that the same ones read them. */
    static byte[] postgresChange(long transaction, String table, long lsn, String op, String before, String after) {
        return bytes("""
                {"op": "%s", "before": %s, "after": %s,
                 "source": {"db": "shop", "schema": "oltp", "table": "%s", "txId": %d, "lsn": %d, "ts_us": 1000},
                 "transaction": {"id": "%d:%d", "total_order": 1, "data_collection_order": 1}}
                """.formatted(op, before, after, table, transaction, lsn, transaction, lsn));
    }

    static byte[] postgresOrder(long transaction, long lsn, long order) {
        return postgresChange(transaction, "orders", lsn, "c", NULL, "{\"id\": %d, \"status\": \"new\"}".formatted(order));
    }

    static byte[] postgresEvent(long transaction, long lsn, long number) {
        return postgresChange(transaction, "order_events", lsn, "c", NULL, "{\"id\": %d}".formatted(number));
    }

    static byte[] begin(String id) {
        return bytes("{\"status\": \"BEGIN\", \"id\": \"%s\"}".formatted(id));
    }

    static byte[] end(String id, int orders, int events) {
        return bytes("""
                {"status": "END", "id": "%s", "event_count": %d, "data_collections": [
                 {"data_collection": "oltp.orders", "event_count": %d},
                 {"data_collection": "oltp.order_events", "event_count": %d},
                 {"data_collection": "oltp.not_declared", "event_count": 7}]}
                """.formatted(id, orders + events, orders, events));
    }

    static JsonNode parse(String text) {
        try {
            return JSON.readTree(text);
        } catch (java.io.IOException error) {
            throw new IllegalArgumentException(error);
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}

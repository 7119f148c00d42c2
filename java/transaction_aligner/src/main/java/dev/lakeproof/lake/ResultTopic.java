// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.catalog.UniqueConstraint;
import org.apache.flink.util.OutputTag;

/**
 * One result topic as its SQL file declares it: the columns of a captured table that its records carry, and their key.
 *
 * <p>A record is the row as it is now ({@code "op": "upsert"}) or that it is gone ({@code "op": "delete"}, with its last
 * content). An update that changes the key is a delete of the old one and an upsert. Values are as the connector gives
 * them (decimals as strings, times in ISO 8601). A beat of the source's clock goes to every partition, behind all rows
 * that were written before it.
 */
final class ResultTopic implements Serializable {
    static final String CONNECTOR = "result-topic";

    /** topic, partition (-1: by the key), key, value. */
    static final OutputTag<Tuple4<String, Integer, byte[], byte[]>> TAG =
            new OutputTag<>("result-topics", recordType());

    private static final int BY_KEY = -1;
    private static final ObjectMapper JSON = new ObjectMapper();

    final String topic;
    final String source;
    private final int partitions;
    private final String beatSource;
    private final String beatColumn;
    private final List<String> columns = new ArrayList<>();
    private final List<String> key;

    /**
     * @param topic its name; @param partitions how many it has
     * @param options of the declaring CREATE TEMPORARY TABLE: {@code table} = database.table at the source, {@code beat}
     *     = database.table.column that holds the source's clock in µs
     */
    ResultTopic(String topic, int partitions, ResolvedSchema schema, Map<String, String> options) {
        this.topic = topic;
        this.partitions = partitions;
        this.source = options.getOrDefault("table", "");
        String beat = options.getOrDefault("beat", "");
        int dot = beat.lastIndexOf('.');
        if (!source.contains(".") || dot < 0) {
            throw new IllegalArgumentException(
                    topic + ": options 'table' = database.table and 'beat' = database.table.column are needed");
        }
        this.beatSource = beat.substring(0, dot);
        this.beatColumn = beat.substring(dot + 1);
        for (Column column : schema.getColumns()) {
            columns.add(column.getName());
        }
        key = new ArrayList<>(schema.getPrimaryKey().map(UniqueConstraint::getColumns).orElse(List.of()));
        if (key.isEmpty()) {
            throw new IllegalArgumentException(topic + ": its primary key is the records' key, and it has none");
        }
    }

    /** What this event adds to the topic, in order. */
    List<Tuple4<String, Integer, byte[], byte[]>> recordsOf(String eventSource, JsonNode event) throws IOException {
        List<Tuple4<String, Integer, byte[], byte[]>> records = new ArrayList<>(1);
        if (eventSource.equals(source)) {
            JsonNode before = event.path("before");
            JsonNode after = event.path("after");
            if (before.isObject() && (!after.isObject() || !keyOf(before).equals(keyOf(after)))) {
                records.add(record("delete", before, event));
            }
            if (after.isObject()) {
                records.add(record("upsert", after, event));
            }
        }
        if (eventSource.equals(beatSource) && event.path("after").has(beatColumn)) {
            ObjectNode value = JSON.createObjectNode().put("op", "beat");
            value.set("beat_us", event.path("after").get(beatColumn));
            byte[] bytes = JSON.writeValueAsBytes(value);
            for (int partition = 0; partition < partitions; partition++) {
                records.add(Tuple4.of(topic, partition, JSON.writeValueAsBytes("beat"), bytes));
            }
        }
        return records;
    }

    private Tuple4<String, Integer, byte[], byte[]> record(String op, JsonNode row, JsonNode event) throws IOException {
        ObjectNode value = JSON.createObjectNode().put("op", op);
        for (String column : columns) {
            value.set(column, row.get(column));
        }
        value.put("ts_us", RowReader.writtenAt(event));
        return Tuple4.of(topic, BY_KEY, JSON.writeValueAsBytes(keyOf(row)), JSON.writeValueAsBytes(value));
    }

    private ObjectNode keyOf(JsonNode row) {
        ObjectNode found = JSON.createObjectNode();
        for (String column : key) {
            found.set(column, row.get(column));
        }
        return found;
    }

    private static TypeInformation<Tuple4<String, Integer, byte[], byte[]>> recordType() {
        TypeInformation<byte[]> bytes = PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO;
        return Types.TUPLE(Types.STRING, Types.INT, bytes, bytes);
    }
}

// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.io.IOException;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Base64;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Set;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;

/**
 * Turns the {@code before} or {@code after} of a change event into a row with the declared types.
 *
 * <p>Expects what the connector is set to give: decimals as strings, times in ISO 8601 ("isostring"), bytes in
 * base64. A value that does not fit its declared type is an error that names table, column and value.
 */
final class RowReader {
    private final CapturedTable table;
    private final Set<String> unexpected = new HashSet<>();

    RowReader(CapturedTable table) {
        this.table = table;
    }

    /** Columns that came and that the SQL does not declare; they are left out. */
    Set<String> unexpectedColumns() {
        return unexpected;
    }

    /** @param image the row image, @param event the whole event, for the two added columns */
    Row read(RowKind kind, JsonNode image, JsonNode event) throws IOException {
        int width = table.columns.size();
        Row row = new Row(kind, width + 2);
        int found = 0;
        for (int i = 0; i < width; i++) {
            JsonNode value = image.get(table.columns.get(i));
            if (value != null) {
                found++;
                row.setField(i, value.isNull() ? null : convert(i, value));
            }
        }
        if (image.size() > found) {
            for (Iterator<String> names = image.fieldNames(); names.hasNext(); ) {
                String name = names.next();
                if (!table.columns.contains(name)) {
                    unexpected.add(name);
                }
            }
        }
        row.setField(width, event.path("transaction").path("id").asText(null));
        row.setField(width + 1, writtenAt(event));
        return row;
    }

    /** When the source wrote the row, in µs since 1970; null where it does not say. */
    static Long writtenAt(JsonNode event) {
        JsonNode micros = event.path("source").path("ts_us");
        if (micros.isNumber()) {
            return micros.longValue();
        }
        JsonNode millis = event.path("source").path("ts_ms");
        return millis.isNumber() ? millis.longValue() * 1000 : null;
    }

    private Object convert(int index, JsonNode value) throws IOException {
        LogicalType type = table.types.get(index);
        try {
            return switch (type.getTypeRoot()) {
                case BOOLEAN -> value.isNumber() ? value.intValue() != 0 : value.booleanValue();
                case TINYINT -> (byte) exact(value, Byte.MIN_VALUE, Byte.MAX_VALUE);
                case SMALLINT -> (short) exact(value, Short.MIN_VALUE, Short.MAX_VALUE);
                case INTEGER -> (int) exact(value, Integer.MIN_VALUE, Integer.MAX_VALUE);
                case BIGINT -> exact(value, Long.MIN_VALUE, Long.MAX_VALUE);
                case FLOAT -> Float.valueOf(value.asText());
                case DOUBLE -> Double.valueOf(value.asText());
                case DECIMAL -> new BigDecimal(value.asText());
                case CHAR, VARCHAR -> value.asText();
                case DATE -> LocalDate.parse(value.asText().replaceFirst("Z$", ""));
                case TIMESTAMP_WITHOUT_TIME_ZONE -> LocalDateTime.ofInstant(instant(value), ZoneOffset.UTC);
                case TIMESTAMP_WITH_LOCAL_TIME_ZONE -> instant(value);
                case BINARY, VARBINARY -> Base64.getDecoder().decode(value.asText());
                default -> throw new IllegalStateException("no reader for " + type.asSummaryString());
            };
        } catch (RuntimeException error) {
            throw new IOException(
                    table.source + "." + table.columns.get(index) + ": " + value + " is not " + type.asSummaryString(),
                    error);
        }
    }

    private static long exact(JsonNode value, long least, long most) {
        long number = value.isNumber() && value.canConvertToLong() ? value.longValue() : Long.parseLong(value.asText());
        if (number < least || number > most) {
            throw new ArithmeticException(number + " is out of range");
        }
        return number;
    }

    private static Instant instant(JsonNode value) {
        if (!value.isTextual()) {
            throw new IllegalArgumentException("times come in ISO 8601");
        }
        String text = value.asText();
        return text.endsWith("Z") ? Instant.parse(text) : OffsetDateTime.parse(text).toInstant();
    }
}

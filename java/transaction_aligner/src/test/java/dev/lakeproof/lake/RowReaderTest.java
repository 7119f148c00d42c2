// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.math.BigDecimal;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.types.DataType;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What the connector writes, as Flink's types. */
class RowReaderTest {
    private static Row read(CapturedTable table, String image, String event) throws IOException {
        return new RowReader(table).read(RowKind.INSERT, Events.parse(image), Events.parse(event));
    }

    private static Object value(DataType type, String json) throws IOException {
        return read(Events.oneColumn(type), "{\"value\": " + json + "}", "{}").getField(0);
    }

    static Stream<Arguments> values() {
        return Stream.of(
                Arguments.of(DataTypes.BOOLEAN(), "1", true),
                Arguments.of(DataTypes.BOOLEAN(), "false", false),
                Arguments.of(DataTypes.TINYINT(), "-128", (byte) -128),
                Arguments.of(DataTypes.SMALLINT(), "32767", (short) 32767),
                Arguments.of(DataTypes.INT(), "-7", -7),
                Arguments.of(DataTypes.BIGINT(), "9223372036854775807", Long.MAX_VALUE),
                Arguments.of(DataTypes.BIGINT(), "\"12\"", 12L),
                Arguments.of(DataTypes.FLOAT(), "1.5", 1.5f),
                Arguments.of(DataTypes.DOUBLE(), "0.1", 0.1),
                Arguments.of(DataTypes.DECIMAL(12, 2), "\"10.10\"", new BigDecimal("10.10")),
                Arguments.of(DataTypes.STRING(), "\"trà\"", "trà"),
                Arguments.of(DataTypes.DATE(), "\"2026-11-24Z\"", LocalDate.of(2026, 11, 24)),
                Arguments.of(DataTypes.TIMESTAMP(6), "\"2026-11-24T14:43:53.042722Z\"",
                        LocalDateTime.of(2026, 11, 24, 14, 43, 53, 42_722_000)),
                Arguments.of(DataTypes.TIMESTAMP_LTZ(6), "\"2026-11-24T15:43:53+01:00\"",
                        Instant.parse("2026-11-24T14:43:53Z")));
    }

    @ParameterizedTest
    @MethodSource("values")
    void aValueIsReadAsItsType(DataType type, String json, Object expected) throws IOException {
        assertEquals(expected, value(type, json));
        assertNull(value(type, "null"));
    }

    @Test
    void bytesComeInBase64() throws IOException {
        assertArrayEquals(new byte[] {1, 2}, (byte[]) value(DataTypes.BYTES(), "\"AQI=\""));
    }

    static Stream<Arguments> wrongValues() {
        return Stream.of(
                Arguments.of(DataTypes.INT(), "2147483648", "oltp.t.value: 2147483648 is not INT"),
                Arguments.of(DataTypes.TINYINT(), "128", "oltp.t.value: 128 is not TINYINT"),
                Arguments.of(DataTypes.BIGINT(), "\"tea\"", "oltp.t.value: \"tea\" is not BIGINT"),
                Arguments.of(DataTypes.DECIMAL(12, 2), "\"\"", "oltp.t.value: \"\" is not DECIMAL(12, 2)"),
                Arguments.of(DataTypes.TIMESTAMP(6), "1764000000", "oltp.t.value: 1764000000 is not TIMESTAMP(6)"),
                Arguments.of(DataTypes.DATE(), "\"24.11.\"", "oltp.t.value: \"24.11.\" is not DATE"));
    }

    @ParameterizedTest
    @MethodSource("wrongValues")
    void aWrongValueIsAnErrorThatNamesTableColumnValueAndType(DataType type, String json, String message) {
        assertEquals(message, assertThrows(IOException.class, () -> value(type, json)).getMessage());
    }

    @Test
    void theTransactionAndTheTimeOfWritingAreAdded() throws IOException {
        String micros = "{\"transaction\": {\"id\": \"0-1-1\"}, \"source\": {\"ts_us\": 1234567, \"ts_ms\": 9}}";
        assertEquals("+I[1, new, 0-1-1, 1234567]",
                read(Events.orders(), "{\"id\": 1, \"status\": \"new\"}", micros).toString());
        assertEquals("+I[1, null, null, 9000]",
                read(Events.orders(), "{\"id\": 1}", "{\"source\": {\"ts_ms\": 9}}").toString());
        assertEquals("+I[1, null, null, null]", read(Events.orders(), "{\"id\": 1}", "{}").toString());
    }

    @Test
    void columnsThatTheSqlDoesNotDeclareAreNamed() throws IOException {
        RowReader reader = new RowReader(Events.orders());
        reader.read(RowKind.INSERT, Events.parse("{\"id\": 1, \"status\": \"new\"}"), Events.parse("{}"));
        assertEquals(Set.of(), reader.unexpectedColumns());
        reader.read(RowKind.INSERT, Events.parse("{\"id\": 1, \"coupon\": \"tea\"}"), Events.parse("{}"));
        assertEquals(Set.of("coupon"), reader.unexpectedColumns());
    }
}

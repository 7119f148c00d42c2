// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.junit.jupiter.api.Test;

/** A table as the SQL declares it. */
class CapturedTableTest {
    private static final ResolvedSchema SCHEMA = Events.schema(Column.physical("id", DataTypes.BIGINT().notNull()));

    private static String refusal(ResolvedSchema schema, Map<String, String> options) {
        return assertThrows(IllegalArgumentException.class, () -> new CapturedTable("v", schema, options)).getMessage();
    }

    @Test
    void twoColumnsAreAddedToThoseOfTheSql() {
        RowTypeInfo type = (RowTypeInfo) Events.orders().tag().getTypeInfo();
        assertArrayEquals(new String[] {"id", "status", "__gtid", "__ts_us"}, type.getFieldNames());
        assertEquals("oltp.orders", Events.orders().tag().getId());
        assertTrue(Events.orders().schema().toString().contains("`__gtid` STRING"), Events.orders().schema().toString());
    }

    @Test
    void anAppendOnlyTableHasNoKeyForItsViewTakesNewRowsOnly() {
        assertTrue(Events.orders().schema().getPrimaryKey().isPresent());
        assertFalse(Events.orderEvents().schema().getPrimaryKey().isPresent());
        assertTrue(Events.orderEvents().appendOnly);
    }

    @Test
    void wrongOptionsAreRefusedWithTheirName() {
        assertEquals("v: option 'table' must be database.table, is null", refusal(SCHEMA, Map.of()));
        assertEquals("v: option 'table' must be database.table, is orders", refusal(SCHEMA, Map.of("table", "orders")));
        assertEquals("v: option 'mode' is changes or append, not upsert",
                refusal(SCHEMA, Map.of("table", "oltp.orders", "mode", "upsert")));
    }

    @Test
    void aTypeWithoutAReaderIsRefusedBeforeTheJobStarts() {
        ResolvedSchema schema = Events.schema(
                Column.physical("id", DataTypes.BIGINT().notNull()),
                Column.physical("tags", DataTypes.ARRAY(DataTypes.STRING())));
        assertEquals("v: no reader for type ARRAY<STRING>", refusal(schema, Map.of("table", "oltp.t")));
    }

    @Test
    void aColumnThatIsNotReadFromTheEventIsRefused() {
        ResolvedSchema schema = Events.schema(
                Column.physical("id", DataTypes.BIGINT().notNull()),
                Column.metadata("at", DataTypes.STRING(), null, true));
        assertEquals("v: at is not a physical column", refusal(schema, Map.of("table", "oltp.t")));
    }
}

// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.typeutils.RowTypeInfo;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.catalog.UniqueConstraint;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;

/**
 * One captured table as the SQL declares it: the columns to read from each event, and the view they make.
 *
 * <p>Two columns are added to what the SQL declares: {@code __gtid STRING}, the source transaction that made the
 * row (null for rows of the initial snapshot), and {@code __ts_us BIGINT}, when the source wrote it.
 */
final class CapturedTable implements Serializable {
    static final String CONNECTOR = "transaction-aligner";
    static final String GTID = "__gtid";
    static final String WRITTEN_AT = "__ts_us";

    final String source;
    final String view;
    final boolean appendOnly;
    final List<String> columns = new ArrayList<>();
    final List<LogicalType> types = new ArrayList<>();
    final List<String> primaryKey;

    /**
     * @param view the name of the view
     * @param options of the declaring CREATE TEMPORARY TABLE: {@code table} = database.table at the source (PostgreSQL: schema.table),
     *     {@code mode} = changes (default) or append
     */
    CapturedTable(String view, ResolvedSchema schema, Map<String, String> options) {
        this.view = view;
        this.source = options.get("table");
        if (source == null || !source.contains(".")) {
            throw new IllegalArgumentException(view + ": option 'table' must be database.table, is " + source);
        }
        String mode = options.getOrDefault("mode", "changes");
        if (!mode.equals("changes") && !mode.equals("append")) {
            throw new IllegalArgumentException(view + ": option 'mode' is changes or append, not " + mode);
        }
        this.appendOnly = mode.equals("append");
        for (Column column : schema.getColumns()) {
            if (!column.isPhysical()) {
                throw new IllegalArgumentException(view + ": " + column.getName() + " is not a physical column");
            }
            columns.add(column.getName());
            types.add(column.getDataType().getLogicalType());
            typeInfo(column.getDataType().getLogicalType());
        }
        primaryKey = new ArrayList<>(schema.getPrimaryKey().map(UniqueConstraint::getColumns).orElse(List.of()));
    }

    /** The side output that carries this table's rows. */
    OutputTag<Row> tag() {
        String[] names = new String[columns.size() + 2];
        TypeInformation<?>[] infos = new TypeInformation<?>[names.length];
        for (int i = 0; i < columns.size(); i++) {
            names[i] = columns.get(i);
            infos[i] = typeInfo(types.get(i));
        }
        names[columns.size()] = GTID;
        infos[columns.size()] = Types.STRING;
        names[columns.size() + 1] = WRITTEN_AT;
        infos[columns.size() + 1] = Types.LONG;
        return new OutputTag<>(source, new RowTypeInfo(infos, names));
    }

    /** The schema of the view, with the types as the SQL declares them. */
    Schema schema() {
        Schema.Builder builder = Schema.newBuilder();
        for (int i = 0; i < columns.size(); i++) {
            builder.column(columns.get(i), DataTypes.of(types.get(i)));
        }
        builder.column(GTID, DataTypes.STRING());
        builder.column(WRITTEN_AT, DataTypes.BIGINT());
        if (!primaryKey.isEmpty() && !appendOnly) {
            builder.primaryKey(primaryKey);
        }
        return builder.build();
    }

    private TypeInformation<?> typeInfo(LogicalType type) {
        return switch (type.getTypeRoot()) {
            case BOOLEAN -> Types.BOOLEAN;
            case TINYINT -> Types.BYTE;
            case SMALLINT -> Types.SHORT;
            case INTEGER -> Types.INT;
            case BIGINT -> Types.LONG;
            case FLOAT -> Types.FLOAT;
            case DOUBLE -> Types.DOUBLE;
            case DECIMAL -> Types.BIG_DEC;
            case CHAR, VARCHAR -> Types.STRING;
            case DATE -> Types.LOCAL_DATE;
            case TIMESTAMP_WITHOUT_TIME_ZONE -> Types.LOCAL_DATE_TIME;
            case TIMESTAMP_WITH_LOCAL_TIME_ZONE -> Types.INSTANT;
            case BINARY, VARBINARY -> Types.PRIMITIVE_ARRAY(Types.BYTE);
            default -> throw new IllegalArgumentException(view + ": no reader for type " + type.asSummaryString());
        };
    }
}

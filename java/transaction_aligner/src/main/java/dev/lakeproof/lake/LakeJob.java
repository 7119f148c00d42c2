// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.Table;
import org.apache.flink.table.api.bridge.java.StreamStatementSet;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.catalog.CatalogBaseTable;
import org.apache.flink.table.catalog.ObjectPath;
import org.apache.flink.table.catalog.ResolvedCatalogTable;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.operations.SourceQueryOperation;

/**
 * The job: one topic → {@link TransactionAligner} → one changelog view per captured table → the SQL files' INSERTs,
 * all as sinks of one job, so that they share their checkpoints.
 *
 * <p>Arguments: {@code --spec BASE64}, a JSON object (src/lakeproof/lake/job/spec.py writes it): name, brokers, topic,
 * align, drop_repeats, max_transaction_bytes, warehouse, database, table_options, config,
 * files: [{table, statements: [...]}], results: [{table, topic, partitions, statement}]. It holds no secrets: keys for
 * the object store come from Flink's own configuration.
 */
public final class LakeJob {
    private static final String CATALOG = "lake";

    private LakeJob() {}

    public static void main(String[] args) throws Exception {
        if (args.length != 2 || !args[0].equals("--spec")) {
            throw new IllegalArgumentException("usage: LakeJob --spec BASE64_JSON");
        }
        JsonNode spec = new ObjectMapper().readTree(new String(Base64.getDecoder().decode(args[1]), StandardCharsets.UTF_8));
        Configuration config = new Configuration();
        texts(spec.path("config")).forEach(config::setString);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(config);
        StreamTableEnvironment tables = StreamTableEnvironment.create(env);
        openDatabase(tables, spec);

        List<String> inserts = new ArrayList<>();
        for (JsonNode file : spec.path("files")) {
            for (JsonNode statement : file.path("statements")) {
                String sql = statement.asText();
                if (sql.stripLeading().regionMatches(true, 0, "INSERT", 0, 6)) {
                    inserts.add(sql);
                } else {
                    tables.executeSql(sql);
                }
            }
            setOptions(tables, spec.path("database").asText(), file.path("table").asText(), texts(spec.path("table_options")));
        }
        List<CapturedTable> captured = takeDeclarations(tables);
        List<ResultTopic> results = takeResults(tables, spec, captured);
        SingleOutputStreamOperator<Void> aligned = align(env, spec, captured, results);
        makeViews(tables, aligned, captured);
        if (!results.isEmpty()) {
            // In one chain with the aligner: no network buffer waits between them, and the order stays.
            aligned.getSideOutput(ResultTopic.TAG)
                    .sinkTo(new ResultSink(spec.path("brokers").asText()))
                    .name("result topics")
                    .uid("result-topics")
                    .setParallelism(1)
                    .setMaxParallelism(1);
        }

        StreamStatementSet sinks = tables.createStatementSet();
        inserts.forEach(sinks::addInsertSql);
        sinks.attachAsDataStream();
        env.execute(spec.path("name").asText());
    }

    private static void openDatabase(StreamTableEnvironment tables, JsonNode spec) {
        String database = spec.path("database").asText();
        tables.executeSql("CREATE CATALOG " + CATALOG + " WITH ('type' = 'paimon', 'warehouse' = '"
                + spec.path("warehouse").asText() + "')");
        tables.useCatalog(CATALOG);
        tables.executeSql("CREATE DATABASE IF NOT EXISTS `" + database + "`");
        tables.useDatabase(database);
    }

    /** Gives a lake table the options that all of them share; alters it only where one differs. */
    private static void setOptions(StreamTableEnvironment tables, String database, String table, Map<String, String> wanted)
            throws Exception {
        CatalogBaseTable found =
                tables.getCatalog(CATALOG).orElseThrow().getTable(new ObjectPath(database, table));
        List<String> different = new ArrayList<>();
        wanted.forEach((key, value) -> {
            if (!value.equals(found.getOptions().get(key))) {
                different.add("'" + key + "' = '" + value + "'");
            }
        });
        if (!different.isEmpty()) {
            tables.executeSql("ALTER TABLE `" + table + "` SET (" + String.join(", ", different) + ")");
        }
    }

    /** Takes away the declared source tables and gives their columns: views of the same names replace them. */
    private static List<CapturedTable> takeDeclarations(StreamTableEnvironment tables) {
        List<CapturedTable> captured = new ArrayList<>();
        for (String name : tables.listTemporaryTables()) {
            Table declared = tables.from("`" + name + "`");
            ResolvedCatalogTable table = ((SourceQueryOperation) declared.getQueryOperation())
                    .getContextResolvedTable()
                    .getResolvedTable();
            if (CapturedTable.CONNECTOR.equals(table.getOptions().get("connector"))) {
                captured.add(new CapturedTable(name, table.getResolvedSchema(), table.getOptions()));
                tables.dropTemporaryTable("`" + name + "`");
            }
        }
        if (captured.isEmpty()) {
            throw new IllegalArgumentException("no SQL file declares a table with connector " + CapturedTable.CONNECTOR);
        }
        return captured;
    }

    /** Declares the result topics, each with the columns of a captured table. */
    private static List<ResultTopic> takeResults(
            StreamTableEnvironment tables, JsonNode spec, List<CapturedTable> captured) {
        List<ResultTopic> results = new ArrayList<>();
        for (JsonNode file : spec.path("results")) {
            String name = file.path("table").asText();
            tables.executeSql(file.path("statement").asText());
            ResolvedCatalogTable declared = ((SourceQueryOperation) tables.from("`" + name + "`").getQueryOperation())
                    .getContextResolvedTable()
                    .getResolvedTable();
            tables.dropTemporaryTable("`" + name + "`");
            ResultTopic result = new ResultTopic(
                    file.path("topic").asText(),
                    file.path("partitions").asInt(),
                    declared.getResolvedSchema(),
                    declared.getOptions());
            if (captured.stream().noneMatch(table -> table.source.equals(result.source))) {
                throw new IllegalArgumentException(result.topic + ": no SQL file captures " + result.source);
            }
            results.add(result);
        }
        return results;
    }

    private static SingleOutputStreamOperator<Void> align(
            StreamExecutionEnvironment env, JsonNode spec, List<CapturedTable> captured, List<ResultTopic> results) {
        String name = spec.path("name").asText();
        KafkaSource<byte[]> source = KafkaSource.<byte[]>builder()
                .setBootstrapServers(spec.path("brokers").asText())
                .setTopics(spec.path("topic").asText())
                .setGroupId(name)
                .setClientIdPrefix(name)
                .setStartingOffsets(new EarliestThenExact(spec.path("pass_over").asBoolean(false)))
                .setValueOnlyDeserializer(new RawBytes())
                .setProperty("isolation.level", "read_committed")
                .setProperty("partition.discovery.interval.ms", "-1")
                .build();
        return env.fromSource(source, WatermarkStrategy.noWatermarks(), "changes of " + spec.path("topic").asText())
                .uid("changes")
                .setParallelism(1)
                .setMaxParallelism(1)
                .process(new TransactionAligner(
                        captured,
                        results,
                        spec.path("align").asBoolean(true),
                        spec.path("drop_repeats").asBoolean(true),
                        spec.path("pass_over").asBoolean(false),
                        spec.path("max_transaction_bytes").asLong(128L << 20)))
                .name("transaction aligner")
                .uid("transaction-aligner")
                .setParallelism(1)
                .setMaxParallelism(1);
    }

    private static void makeViews(
            StreamTableEnvironment tables, SingleOutputStreamOperator<Void> aligned, List<CapturedTable> captured) {
        for (CapturedTable table : captured) {
            ChangelogMode mode = table.appendOnly ? ChangelogMode.insertOnly() : ChangelogMode.all();
            tables.createTemporaryView(
                    "`" + table.view + "`",
                    tables.fromChangelogStream(aligned.getSideOutput(table.tag()), table.schema(), mode));
        }
    }

    private static Map<String, String> texts(JsonNode object) {
        Map<String, String> texts = new HashMap<>();
        for (Iterator<Map.Entry<String, JsonNode>> fields = object.fields(); fields.hasNext(); ) {
            Map.Entry<String, JsonNode> field = fields.next();
            texts.put(field.getKey(), field.getValue().asText());
        }
        return texts;
    }

    /** The value as it is; a tombstone (null) gives nothing. */
    private static final class RawBytes extends AbstractDeserializationSchema<byte[]> {
        RawBytes() {
            super(PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);
        }

        @Override
        public byte[] deserialize(byte[] message) {
            return message;
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Holds the rows of a source transaction until its END marker, then passes all of them on within one call.
 *
 * <p>A checkpoint barrier travels between two calls of {@link #processElement}, never inside one. So no checkpoint
 * can hold a part of a transaction, and neither can anything that is published by checkpoint. Works at parallelism 1
 * on a topic of one partition that carries the change events of all tables and the transaction markers, in the
 * source's order.
 *
 * <p>State: the events of the open transactions as they came (bytes), so that a changed SQL file can read them anew
 * and their places in the source's log are known again; the id of the newest transaction passed on; the ids of those
 * that were too large to be kept whole, and how many events of them were passed on; and of the newest passed on how far
 * their rows went, so that what the source sends again is dropped. An older state without the last two restores too.
 */
final class TransactionAligner extends ProcessFunction<byte[], Void> implements CheckpointedFunction {
    private static final Logger LOG = LoggerFactory.getLogger(TransactionAligner.class);

    private static final Pattern POSTGRES_ID = Pattern.compile("[0-9]+:[0-9]+");

    private record Change(
            byte[] raw, CapturedTable table, List<Row> rows, List<Tuple4<String, Integer, byte[], byte[]>> results) {}

    private final List<CapturedTable> tables;
    private final List<ResultTopic> results;
    private final boolean align;
    private final boolean dropRepeats;
    private final boolean passOver;
    private final long maxBytes;

    private transient ObjectMapper json;
    private transient Map<String, CapturedTable> tableBySource;
    private transient Map<String, RowReader> readers;
    private transient Map<String, OutputTag<Row>> tags;
    private transient OpenTransactions<Change> open;
    private transient ListState<byte[]> openState;
    private transient ListState<String> lastCompletedState;
    private transient ListState<String> splitState;
    private transient ListState<Map<String, Map<String, Integer>>> splitCountsState;
    private transient ListState<byte[]> passedState;
    private transient int unexpectedColumns;
    private transient Counter transactions;
    private transient Counter transactionsIncomplete;
    private transient Counter transactionsReplayed;
    private transient Counter transactionsWithoutEnd;
    private transient Counter transactionsTooLarge;
    private transient Counter rowsPassed;
    private transient Counter rowsRepeated;
    private transient Counter changesRefused;

    /**
     * @param results topics that get the rows too, in the order in which they are passed on
     * @param align false passes every row straight on (parts of transactions may then be seen)
     * @param dropRepeats false takes a row as often as the source sends it; without {@code align} none is dropped
     * @param passOver true takes nothing of what comes, and forgets what waits for its END: a repair brings all of it
     * @param maxBytes an open transaction that is larger is passed on in pieces, and counted
     */
    TransactionAligner(
            List<CapturedTable> tables, List<ResultTopic> results, boolean align, boolean dropRepeats, boolean passOver,
            long maxBytes) {
        this.tables = new ArrayList<>(tables);
        this.results = new ArrayList<>(results);
        this.align = align;
        this.dropRepeats = dropRepeats;
        this.passOver = passOver;
        this.maxBytes = maxBytes;
    }

    @Override
    public void open(Configuration ignored) {
        MetricGroup group = getRuntimeContext().getMetricGroup().addGroup("aligner");
        transactions = group.counter("transactions");
        transactionsIncomplete = group.counter("transactionsIncomplete");
        transactionsReplayed = group.counter("transactionsReplayed");
        transactionsWithoutEnd = group.counter("transactionsWithoutEnd");
        transactionsTooLarge = group.counter("transactionsTooLarge");
        rowsPassed = group.counter("rowsPassed");
        rowsRepeated = group.counter("rowsRepeated");
        changesRefused = group.counter("changesRefused");
        group.gauge("unexpectedColumns", () -> unexpectedColumns);
        group.gauge("openRows", () -> open.waitingRows());
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        json = new ObjectMapper();
        tableBySource = new HashMap<>();
        readers = new HashMap<>();
        tags = new HashMap<>();
        for (CapturedTable table : tables) {
            tableBySource.put(table.source, table);
            readers.put(table.source, new RowReader(table));
            tags.put(table.source, table.tag());
        }
        open = new OpenTransactions<>(dropRepeats);
        openState = context.getOperatorStateStore()
                .getListState(new ListStateDescriptor<>("open-transaction", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
        lastCompletedState = context.getOperatorStateStore()
                .getListState(new ListStateDescriptor<>("last-completed", Types.STRING));
        splitState = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("split", Types.STRING));
        splitCountsState = context.getOperatorStateStore()
                .getListState(new ListStateDescriptor<>(
                        "split-counts", Types.MAP(Types.STRING, Types.MAP(Types.STRING, Types.INT))));
        passedState = context.getOperatorStateStore()
                .getListState(new ListStateDescriptor<>(
                        "passed-transactions", PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO));
        Iterator<String> completed = lastCompletedState.get().iterator();
        open.restore(
                completed.hasNext() ? completed.next() : null,
                splitState.get(),
                splitCountsState.get(),
                passedState.get());
        for (byte[] raw : passOver ? List.<byte[]>of() : openState.get()) {
            JsonNode event = json.readTree(raw);
            String id = idOf(event.path("transaction"), event);
            open.add(id, source(event), Place.of(event), RowReader.writtenAt(event), change(raw, event), raw.length);
        }
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
        List<byte[]> raw = new ArrayList<>();
        for (Change change : open.waiting()) {
            raw.add(change.raw());
        }
        openState.update(raw);
        splitState.update(open.splitIds());
        splitCountsState.update(List.of(open.splitCounts()));
        passedState.update(List.of(open.passedBytes()));
        lastCompletedState.update(open.lastCompleted() == null ? List.of() : List.of(open.lastCompleted()));
    }

    @Override
    public void processElement(byte[] raw, Context context, Collector<Void> out) throws Exception {
        JsonNode event = passOver ? json.missingNode() : read(raw);
        if (event.has("op")) {
            onChange(raw, event, context);
        } else if (event.has("status")) {
            onMarker(event, context);
        }
    }

    private void onChange(byte[] raw, JsonNode event, Context context) throws IOException {
        JsonNode transaction = event.get("transaction");
        if (!align || transaction == null || !transaction.isObject()) {
            // Rows of the initial snapshot belong to no transaction.
            pass(change(raw, event), context);
            return;
        }
        String id = idOf(transaction, event);
        Place place = Place.of(event);
        Long writtenAt = RowReader.writtenAt(event);
        String source = source(event);
        if (open.isRepeat(id, source, place, writtenAt)) {
            rowsRepeated.inc();
            warnOfRepeat(id);
            return;
        }
        if (open.add(id, source, place, writtenAt, change(raw, event), raw.length) > maxBytes) {
            transactionsTooLarge.inc();
            LOG.error("transaction {} is larger than {} bytes: it is passed on in pieces", id, maxBytes);
            passAll(open.releasePart(id), context);
        }
    }

    private void onMarker(JsonNode event, Context context) throws IOException {
        if (!align || !event.path("status").asText().equals("END")) {
            return;
        }
        String id = idOf(event, event);
        Map<String, Integer> expected = expectedCounts(event);
        switch (open.endBy(id, expected)) {
            case REPEATED -> {
                warnOfRepeat(id);
                return;
            }
            case INCOMPLETE -> {
                transactionsIncomplete.inc();
                throw new IOException("events of a transaction are missing, "
                        + (open.isSplit(id) ? "pieces of it were passed on already: " : "nothing of it is written: ")
                        + open.describe(id, expected)
                        + ". If the source is MariaDB >= 11.4, does it run with binlog_legacy_event_pos=ON? Without it,"
                        + " rows of one transaction share a place in the log and are taken for repeats");
            }
            case REPLAYED -> transactionsReplayed.inc();
            case COMPLETE -> transactions.inc();
        }
        passAll(open.release(id), context);
        for (String abandoned : open.abandoned()) {
            transactionsWithoutEnd.inc();
            LOG.warn("the END of transaction {} never came: what came of it is passed on", abandoned);
            passAll(open.releaseAbandoned(abandoned), context);
        }
    }

    private void warnOfRepeat(String id) {
        if (open.isToldFirst(id)) {
            LOG.warn("transaction {} comes again (the connector was killed, or began it anew): what came is dropped", id);
        }
    }

    /**
     * Without an id, events of all transactions would be taken for one. PostgreSQL's are TXID:LSN, and the second half is
     * each event's own. (MySQL's are UUID:NUMBER, all of which tells.)
     */
    private static String idOf(JsonNode holder, JsonNode event) throws IOException {
        String id = holder.path("id").asText();
        if (POSTGRES_ID.matcher(id).matches()) {
            id = id.substring(0, id.indexOf(':'));
        }
        if (id.isEmpty()) {
            throw new IOException("an event of a transaction without the transaction's id: " + event);
        }
        return id;
    }

    private Map<String, Integer> expectedCounts(JsonNode end) {
        Map<String, Integer> counts = new HashMap<>();
        for (JsonNode collection : end.path("data_collections")) {
            String name = collection.path("data_collection").asText();
            if (tableBySource.containsKey(name)) {
                counts.put(name, collection.path("event_count").asInt());
            }
        }
        return counts;
    }

    private void passAll(List<Change> changes, Context context) {
        for (Change change : changes) {
            pass(change, context);
        }
    }

    private void pass(Change change, Context context) {
        if (change.table() == null) {
            return;
        }
        OutputTag<Row> tag = tags.get(change.table().source);
        for (Row row : change.rows()) {
            context.output(tag, row);
            rowsPassed.inc();
        }
        for (Tuple4<String, Integer, byte[], byte[]> record : change.results()) {
            context.output(ResultTopic.TAG, record);
        }
    }

    private JsonNode read(byte[] raw) throws IOException {
        try {
            return json.readTree(raw);
        } catch (IOException error) {
            throw new IOException("not JSON: " + new String(raw, 0, Math.min(raw.length, 200), StandardCharsets.UTF_8), error);
        }
    }

    /** DATABASE.TABLE, or SCHEMA.TABLE of a source that has schemas in its databases: as END markers name it too. */
    private static String source(JsonNode event) {
        JsonNode source = event.path("source");
        JsonNode above = source.hasNonNull("schema") ? source.get("schema") : source.path("db");
        return above.asText() + "." + source.path("table").asText();
    }

    private Change change(byte[] raw, JsonNode event) throws IOException {
        String source = source(event);
        CapturedTable table = tableBySource.get(source);
        if (table == null) {
            return new Change(raw, null, List.of(), List.of());
        }
        List<Row> rows = new ArrayList<>(2);
        String op = event.path("op").asText();
        if (table.appendOnly && !op.equals("c") && !op.equals("r")) {
            changesRefused.inc();
            LOG.error("{} only takes new rows; refused: {}", source, op);
            return new Change(raw, table, rows, List.of());
        }
        RowReader reader = readers.get(source);
        switch (op) {
            case "c", "r" -> rows.add(reader.read(RowKind.INSERT, event.path("after"), event));
            case "u" -> {
                rows.add(reader.read(RowKind.UPDATE_BEFORE, event.path("before"), event));
                rows.add(reader.read(RowKind.UPDATE_AFTER, event.path("after"), event));
            }
            case "d" -> rows.add(reader.read(RowKind.DELETE, event.path("before"), event));
            default -> LOG.debug("{}: op {} carries no row", source, op);
        }
        noteUnexpectedColumns();
        List<Tuple4<String, Integer, byte[], byte[]>> records = new ArrayList<>();
        for (ResultTopic topic : results) {
            records.addAll(topic.recordsOf(source, event));
        }
        return new Change(raw, table, rows, records);
    }

    private void noteUnexpectedColumns() {
        int count = 0;
        for (RowReader reader : readers.values()) {
            count += reader.unexpectedColumns().size();
        }
        if (count > unexpectedColumns) {
            for (Map.Entry<String, RowReader> entry : readers.entrySet()) {
                if (!entry.getValue().unexpectedColumns().isEmpty()) {
                    LOG.warn("{}: columns that the SQL does not declare: {}", entry.getKey(),
                            entry.getValue().unexpectedColumns());
                }
            }
        }
        unexpectedColumns = count;
    }
}

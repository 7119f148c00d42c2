/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance
 * with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0. Unless
 * required by applicable law or agreed to in writing, software distributed under the License is distributed on an
 * "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 */
package dev.lakeproof.lake;

import static dev.lakeproof.lake.Events.NULL;
import static dev.lakeproof.lake.Events.begin;
import static dev.lakeproof.lake.Events.bytes;
import static dev.lakeproof.lake.Events.change;
import static dev.lakeproof.lake.Events.end;
import static dev.lakeproof.lake.Events.event;
import static dev.lakeproof.lake.Events.order;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Metric;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.clusterframework.types.ResourceID;
import org.apache.flink.runtime.executiongraph.ExecutionAttemptID;
import org.apache.flink.runtime.metrics.groups.TaskManagerMetricGroup;
import org.apache.flink.runtime.metrics.groups.TaskMetricGroup;
import org.apache.flink.runtime.metrics.util.TestingMetricRegistry;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.streaming.api.operators.ProcessOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The operator in Flink's own harness: its outputs, its metrics, its state over a checkpoint. */
class TransactionAlignerTest {
    private static final long LARGE = 1L << 20;
    private static final CapturedTable ORDERS = Events.orders();
    private static final CapturedTable EVENTS = Events.orderEvents();

    private final Map<String, Metric> metrics = new HashMap<>();
    private OneInputStreamOperatorTestHarness<byte[], Void> harness;

    private void start(boolean align, boolean dropRepeats, long maxBytes, OperatorSubtaskState state) throws Exception {
        TestingMetricRegistry registry = TestingMetricRegistry.builder()
                .setRegisterConsumer((metric, name, group) -> metrics.put(name, metric))
                .build();
        TaskMetricGroup task = TaskManagerMetricGroup.createTaskManagerMetricGroup(
                        registry, "localhost", ResourceID.generate())
                .addJob(new JobID(), "lake-oltp")
                .addTask(ExecutionAttemptID.randomId(), "aligner");
        harness = new OneInputStreamOperatorTestHarness<>(
                new ProcessOperator<>(new TransactionAligner(
                        List.of(ORDERS, EVENTS), List.of(Events.results(2)), align, dropRepeats, maxBytes)),
                new MockEnvironmentBuilder().setMetricGroup(task).build());
        harness.setup();
        if (state != null) {
            harness.initializeState(state);
        }
        harness.open();
    }

    private void start() throws Exception {
        start(true, true, LARGE, null);
    }

    /** The job goes on from a checkpoint taken now. */
    private void restart() throws Exception {
        OperatorSubtaskState state = harness.snapshot(1, 1);
        harness.close();
        start(true, true, LARGE, state);
    }

    @AfterEach
    void close() throws Exception {
        harness.close();
    }

    private void send(byte[]... messages) throws Exception {
        for (byte[] message : messages) {
            harness.processElement(message, 0);
        }
    }

    /** Rows of a table since the start, as Row writes itself. */
    private List<String> rows(CapturedTable table) {
        List<String> texts = new ArrayList<>();
        Iterable<StreamRecord<Row>> records = harness.getSideOutput(table.tag());
        if (records != null) {
            records.forEach(each -> texts.add(each.getValue().toString()));
        }
        return texts;
    }

    /** Records of the result topic since the start, without their keys. */
    private List<String> results() {
        List<String> texts = new ArrayList<>();
        Iterable<StreamRecord<Tuple4<String, Integer, byte[], byte[]>>> records =
                harness.getSideOutput(ResultTopic.TAG);
        if (records != null) {
            records.forEach(each -> texts.add(new String(each.getValue().f3, StandardCharsets.UTF_8)));
        }
        return texts;
    }

    private long count(String metric) {
        return ((Counter) metrics.get(metric)).getCount();
    }

    private Object gauge(String metric) {
        return ((Gauge<?>) metrics.get(metric)).getValue();
    }

    private static byte[][] wholeTransaction(String id) {
        return new byte[][] {begin(id), order(id, 10, 1), event(id, 20, 5), end(id, 1, 1)};
    }

    @Test
    void aTransactionIsPassedOnAtItsEndWithItsIdAndTime() throws Exception {
        start();
        send(begin("0-1-1"), order("0-1-1", 10, 1), event("0-1-1", 20, 5));
        assertEquals(List.of(), rows(ORDERS));
        assertEquals(2, gauge("openRows"));
        send(end("0-1-1", 1, 1));
        assertEquals(List.of("+I[1, new, 0-1-1, 1000]"), rows(ORDERS));
        assertEquals(List.of("+I[5, 0-1-1, 1000]"), rows(EVENTS));
        assertEquals(1, count("transactions"));
        assertEquals(2, count("rowsPassed"));
    }

    @Test
    void updatesAndDeletesBecomeTheirChanges() throws Exception {
        start();
        String before = "{\"id\": 1, \"status\": \"new\"}";
        send(change("0-1-1", "orders", 10, "u", before, "{\"id\": 1, \"status\": \"paid\"}"),
                change("0-1-1", "orders", 20, "d", before, NULL),
                end("0-1-1", 2, 0));
        assertEquals(
                List.of("-U[1, new, 0-1-1, 1000]", "+U[1, paid, 0-1-1, 1000]", "-D[1, new, 0-1-1, 1000]"), rows(ORDERS));
    }

    @Test
    void resultsLeaveWithTheirTransactionAndNotBefore() throws Exception {
        start();
        send(begin("0-1-1"), order("0-1-1", 10, 1));
        restart();
        assertEquals(List.of(), results());
        send(end("0-1-1", 1, 0));
        assertEquals(List.of("{\"op\":\"upsert\",\"id\":1,\"status\":\"new\",\"ts_us\":1000}"), results());
        send(end("0-1-1", 1, 0));
        assertEquals(1, results().size());
    }

    @Test
    void rowsOfTheInitialSnapshotPassAtOnceAndAreNeverDropped() throws Exception {
        start();
        byte[] row = bytes("""
                {"op": "r", "before": null, "after": {"id": 5}, "transaction": null,
                 "source": {"db": "oltp", "table": "order_events", "file": "mysql-bin.000001", "pos": 1, "row": 0}}
                """);
        send(row, row);
        assertEquals(List.of("+I[5, null, null]", "+I[5, null, null]"), rows(EVENTS));
        assertEquals(0, count("rowsRepeated"));
    }

    @Test
    void aTransactionRepeatedAfterItsEndGivesNoSecondRow() throws Exception {
        start();
        send(wholeTransaction("0-1-1"));
        send(wholeTransaction("0-1-1"));
        send(wholeTransaction("0-1-2"));
        assertEquals(List.of("+I[5, 0-1-1, 1000]", "+I[5, 0-1-2, 1000]"), rows(EVENTS));
        assertEquals(2, count("rowsRepeated"));
        assertEquals(2, count("transactions"));
    }

    @Test
    void aTransactionRepeatedAfterARestoreGivesNoSecondRow() throws Exception {
        start();
        send(wholeTransaction("0-1-1"));
        restart();
        send(wholeTransaction("0-1-1"));
        assertEquals(List.of(), rows(EVENTS));
        assertEquals(2, count("rowsRepeated"));
    }

    @Test
    void aTransactionBegunAnewGivesEachRowOnceAlsoOverARestore() throws Exception {
        start();
        send(begin("0-1-1"), order("0-1-1", 10, 1));
        restart();
        assertEquals(1, gauge("openRows"));
        send(wholeTransaction("0-1-1"));
        assertEquals(1, rows(ORDERS).size());
        assertEquals(1, rows(EVENTS).size());
        assertEquals(1, count("rowsRepeated"));
    }

    @Test
    void aTransactionBegunAnewWithOnlyItsLaterRowsIsWhole() throws Exception {
        start();
        send(begin("0-1-1"), order("0-1-1", 10, 1));
        restart();
        send(begin("0-1-1"), event("0-1-1", 20, 5), end("0-1-1", 0, 1));
        assertEquals(1, rows(ORDERS).size());
        assertEquals(1, rows(EVENTS).size());
        assertEquals(0, count("rowsRepeated"));
        assertEquals(1, count("transactions"));
    }

    @Test
    void withRepeatsNotDroppedTheSecondRowIsSeen() throws Exception {
        start(true, false, LARGE, null);
        send(begin("0-1-1"), event("0-1-1", 20, 5));
        send(wholeTransaction("0-1-1"));
        send(wholeTransaction("0-1-1"));
        assertEquals(3, rows(EVENTS).size());
        assertEquals(0, count("rowsRepeated"));
    }

    @Test
    void aMissingEventStopsTheJobAndNamesTheTransaction() throws Exception {
        start();
        send(order("0-1-1", 10, 1));
        IOException error = assertThrows(IOException.class, () -> send(end("0-1-1", 1, 1)));
        assertTrue(error.getMessage().contains("events of a transaction are missing"), error.getMessage());
        assertTrue(error.getMessage().contains("0-1-1"), error.getMessage());
        assertEquals(List.of(), rows(ORDERS));
        assertEquals(1, count("transactionsIncomplete"));
    }

    @Test
    void aTransactionThatIsTooLargeComesInPiecesAndOnceAlsoOverARestore() throws Exception {
        start(true, true, 700, null);
        send(begin("0-1-1"), order("0-1-1", 10, 1), order("0-1-1", 20, 2), order("0-1-1", 30, 3));
        assertEquals(3, rows(ORDERS).size());
        assertEquals(1, count("transactionsTooLarge"));
        restart();
        send(begin("0-1-1"), order("0-1-1", 30, 3), event("0-1-1", 40, 5), end("0-1-1", 3, 1));
        assertEquals(List.of(), rows(ORDERS));
        assertEquals(1, rows(EVENTS).size());
        assertEquals(1, count("rowsRepeated"));
    }

    @Test
    void aChangeOfAPrimaryKeyIsADeleteAndAnInsertOfOnePlace() throws Exception {
        start();
        send(begin("0-1-1"), change("0-1-1", "orders", 10, "d", "{\"id\": 1, \"status\": \"new\"}", NULL),
                order("0-1-1", 10, 2), end("0-1-1", 2, 0));
        assertEquals(List.of("-D[1, new, 0-1-1, 1000]", "+I[2, new, 0-1-1, 1000]"), rows(ORDERS));
        assertEquals(0, count("rowsRepeated"));
    }

    @Test
    void piecesOfWhichARowIsMissingStopTheJobAlsoAfterARestore() throws Exception {
        start(true, true, 100, null);
        send(begin("0-1-1"), order("0-1-1", 10, 1), order("0-1-1", 10, 2));
        assertEquals(1, rows(ORDERS).size());
        restart();
        IOException error = assertThrows(IOException.class, () -> send(end("0-1-1", 2, 0)));
        assertTrue(error.getMessage().contains("pieces of it were passed on already"), error.getMessage());
        assertTrue(error.getMessage().contains("binlog_legacy_event_pos=ON"), error.getMessage());
        assertEquals(1, count("transactionsIncomplete"));
    }

    @Test
    void whatCameOfATransactionWithoutEndIsPassedOnAfterManyOthers() throws Exception {
        start();
        send(order("0-1-1", 10, 1));
        for (int other = 2; other <= OpenTransactions.ENDS_WAITED_FOR + 2; other++) {
            send(end("0-1-" + other, 0, 0));
        }
        assertEquals(1, rows(ORDERS).size());
        assertEquals(1, count("transactionsWithoutEnd"));
    }

    @Test
    void anAppendOnlyTableRefusesAnUpdateAndGoesOn() throws Exception {
        start();
        send(change("0-1-1", "order_events", 10, "u", "{\"id\": 5}", "{\"id\": 6}"),
                event("0-1-1", 20, 7), end("0-1-1", 0, 2));
        assertEquals(List.of("+I[7, 0-1-1, 1000]"), rows(EVENTS));
        assertEquals(1, count("changesRefused"));
    }

    @Test
    void aTableThatNoSqlFileDeclaresIsPassedOver() throws Exception {
        start();
        send(change("0-1-1", "carts", 10, "c", NULL, "{\"id\": 1}"), order("0-1-1", 20, 1), end("0-1-1", 1, 0));
        assertEquals(1, count("rowsPassed"));
    }

    @Test
    void anUnexpectedColumnIsCountedAndLeftOut() throws Exception {
        start();
        send(change("0-1-1", "orders", 10, "c", NULL, "{\"id\": 1, \"status\": \"new\", \"coupon\": \"tea\"}"),
                end("0-1-1", 1, 0));
        assertEquals(List.of("+I[1, new, 0-1-1, 1000]"), rows(ORDERS));
        assertEquals(1, gauge("unexpectedColumns"));
    }

    @Test
    void whatIsNotJsonOrHasNoTransactionIdStopsTheJob() throws Exception {
        start();
        assertTrue(assertThrows(IOException.class, () -> send(bytes("nonsense"))).getMessage().startsWith("not JSON"));
        IOException error = assertThrows(IOException.class, () -> send(order("", 10, 1)));
        assertTrue(error.getMessage().contains("without the transaction's id"), error.getMessage());
    }

    @Test
    void withoutAligningRowsPassAtOnce() throws Exception {
        start(false, true, LARGE, null);
        send(order("0-1-1", 10, 1));
        assertEquals(1, rows(ORDERS).size());
    }
}

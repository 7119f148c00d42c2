/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance
 * with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0. Unless
 * required by applicable law or agreed to in writing, software distributed under the License is distributed on an
 * "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 */
package dev.lakeproof.lake;

import static dev.lakeproof.lake.Events.NULL;
import static dev.lakeproof.lake.Events.begin;
import static dev.lakeproof.lake.Events.end;
import static dev.lakeproof.lake.Events.postgresChange;
import static dev.lakeproof.lake.Events.postgresEvent;
import static dev.lakeproof.lake.Events.postgresOrder;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.operators.ProcessOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Transactions of PostgreSQL: each event's id ends with its own place in the WAL, and rows of one record share theirs. */
class PostgresTransactionsTest {
    private static final CapturedTable ORDERS = Events.orders();
    private static final CapturedTable EVENTS = Events.orderEvents();

    private OneInputStreamOperatorTestHarness<byte[], Void> harness;

    @BeforeEach
    void start() throws Exception {
        start(1L << 20, null);
    }

    private void start(long maxBytes, OperatorSubtaskState state) throws Exception {
        harness = new OneInputStreamOperatorTestHarness<>(
                new ProcessOperator<>(new TransactionAligner(List.of(ORDERS, EVENTS), List.of(), true, true, maxBytes)));
        harness.setup();
        if (state != null) {
            harness.initializeState(state);
        }
        harness.open();
    }

    private void restart() throws Exception {
        OperatorSubtaskState state = harness.snapshot(1, 1);
        harness.close();
        start(1L << 20, state);
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

    private List<Object> ids(CapturedTable table) {
        List<Object> ids = new ArrayList<>();
        Iterable<StreamRecord<Row>> records = harness.getSideOutput(table.tag());
        if (records != null) {
            records.forEach(each -> ids.add(each.getValue().getField(0)));
        }
        return ids;
    }

    @Test
    void theEventsOfOneTransactionBelongTogetherThoughTheirIdsEndDifferently() throws Exception {
        send(begin("786:10"), postgresOrder(786, 10, 1), postgresEvent(786, 20, 5));
        assertEquals(List.of(), ids(ORDERS));
        send(end("786:30", 1, 1));
        assertEquals(List.of(1L), ids(ORDERS));
        assertEquals(List.of(5L), ids(EVENTS));
    }

    @Test
    void aMissingEventIsSeenAtTheEnd() throws Exception {
        send(begin("786:10"), postgresOrder(786, 10, 1));
        assertThrows(java.io.IOException.class, () -> send(end("786:30", 1, 1)));
    }

    @Test
    void rowsOfOneRecordAreToldApart() throws Exception {
        send(begin("786:10"), postgresEvent(786, 10, 1), postgresEvent(786, 10, 2), postgresEvent(786, 10, 3),
                end("786:30", 0, 3));
        assertEquals(List.of(1L, 2L, 3L), ids(EVENTS));
    }

    @Test
    void theRowsOfOneRecordThatComeAgainBeforeTheEndAreTakenOnce() throws Exception {
        send(begin("786:10"), postgresEvent(786, 10, 1), postgresEvent(786, 10, 2));
        send(begin("786:10"), postgresEvent(786, 10, 1), postgresEvent(786, 10, 2), postgresEvent(786, 10, 3),
                end("786:30", 0, 3));
        assertEquals(List.of(1L, 2L, 3L), ids(EVENTS));
    }

    @Test
    void aTransactionRepeatedAfterItsEndIsDroppedAlsoOverARestore() throws Exception {
        byte[][] whole = {begin("786:10"), postgresOrder(786, 10, 1), postgresEvent(786, 20, 1), postgresEvent(786, 20, 2),
            end("786:30", 1, 2)};
        send(whole);
        restart();
        send(whole);
        assertEquals(List.of(), ids(EVENTS));
        assertEquals(List.of(), ids(ORDERS));
    }

    @Test
    void bothEventsOfAKeysChangeAreTakenAndTakenOnce() throws Exception {
        byte[][] change = {begin("789:10"),
            postgresChange(789, "orders", 10, "d", "{\"id\": 1, \"status\": \"new\"}", NULL),
            postgresChange(789, "orders", 10, "c", NULL, "{\"id\": 2, \"status\": \"new\"}"),
            end("789:20", 2, 0)};
        send(change);
        send(change);
        assertEquals(List.of(1L, 2L), ids(ORDERS));
    }

    @Test
    void aTransactionOfADatabaseThatWasMadeAnewIsNoRepeatThoughItsIdIs() throws Exception {
        send(begin("786:10"), postgresEvent(786, 10, 1), end("786:20", 0, 1));
        byte[] later = Events.bytes(new String(postgresEvent(786, 10, 2)).replace("1000", "2000"));
        send(begin("786:10"), later, end("786:20", 0, 1));
        assertEquals(List.of(1L, 2L), ids(EVENTS));
    }

    @Test
    void transactionsOfMySqlAreNotTakenForOneThoughTheirIdsBeginAlike() throws Exception {
        String server = "df3a9e58-c0a1-11f0-9d2e-0242ac120002:";
        send(begin(server + 1), Events.event(server + 1, 10, 1), end(server + 1, 0, 1));
        send(begin(server + 2), Events.event(server + 2, 20, 2), end(server + 2, 0, 1));
        assertEquals(List.of(1L, 2L), ids(EVENTS));
    }
}

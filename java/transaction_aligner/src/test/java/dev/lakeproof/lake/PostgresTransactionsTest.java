// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import static dev.lakeproof.lake.Events.NULL;
import static dev.lakeproof.lake.Events.begin;
import static dev.lakeproof.lake.Events.end;
import static dev.lakeproof.lake.Events.postgresChange;
import static dev.lakeproof.lake.Events.postgresEvent;
import static dev.lakeproof.lake.Events.postgresOrder;
import static dev.lakeproof.lake.RunningAligner.EVENTS;
import static dev.lakeproof.lake.RunningAligner.ORDERS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Transactions of PostgreSQL: each event's id ends with its own place in the WAL, and rows of one record share theirs. */
class PostgresTransactionsTest {
    private final RunningAligner aligner = new RunningAligner();

    @BeforeEach
    void start() throws Exception {
        aligner.start();
    }

    @AfterEach
    void close() throws Exception {
        aligner.close();
    }

    private List<Object> ids(CapturedTable table) {
        return aligner.rows(table).stream().map(row -> row.getField(0)).toList();
    }

    @Test
    void theEventsOfOneTransactionBelongTogetherThoughTheirIdsEndDifferently() throws Exception {
        aligner.send(begin("786:10"), postgresOrder(786, 10, 1), postgresEvent(786, 20, 5));
        assertEquals(List.of(), ids(ORDERS));
        aligner.send(end("786:30", 1, 1));
        assertEquals(List.of(1L), ids(ORDERS));
        assertEquals(List.of(5L), ids(EVENTS));
    }

    @Test
    void aMissingEventIsSeenAtTheEnd() throws Exception {
        aligner.send(begin("786:10"), postgresOrder(786, 10, 1));
        assertThrows(java.io.IOException.class, () -> aligner.send(end("786:30", 1, 1)));
    }

    @Test
    void rowsOfOneRecordAreToldApart() throws Exception {
        aligner.send(begin("786:10"), postgresEvent(786, 10, 1), postgresEvent(786, 10, 2), postgresEvent(786, 10, 3),
                end("786:30", 0, 3));
        assertEquals(List.of(1L, 2L, 3L), ids(EVENTS));
    }

    @Test
    void theRowsOfOneRecordThatComeAgainBeforeTheEndAreTakenOnce() throws Exception {
        aligner.send(begin("786:10"), postgresEvent(786, 10, 1), postgresEvent(786, 10, 2));
        aligner.send(begin("786:10"), postgresEvent(786, 10, 1), postgresEvent(786, 10, 2), postgresEvent(786, 10, 3),
                end("786:30", 0, 3));
        assertEquals(List.of(1L, 2L, 3L), ids(EVENTS));
    }

    @Test
    void aTransactionRepeatedAfterItsEndIsDroppedAlsoOverARestore() throws Exception {
        byte[][] whole = {begin("786:10"), postgresOrder(786, 10, 1), postgresEvent(786, 20, 1), postgresEvent(786, 20, 2),
            end("786:30", 1, 2)};
        aligner.send(whole);
        aligner.restart();
        aligner.send(whole);
        assertEquals(List.of(), ids(EVENTS));
        assertEquals(List.of(), ids(ORDERS));
    }

    @Test
    void bothEventsOfAKeysChangeAreTakenAndTakenOnce() throws Exception {
        byte[][] change = {begin("789:10"),
            postgresChange(789, "orders", 10, "d", "{\"id\": 1, \"status\": \"new\"}", NULL),
            postgresChange(789, "orders", 10, "c", NULL, "{\"id\": 2, \"status\": \"new\"}"),
            end("789:20", 2, 0)};
        aligner.send(change);
        aligner.send(change);
        assertEquals(List.of(1L, 2L), ids(ORDERS));
    }

    @Test
    void aTransactionOfADatabaseThatWasMadeAnewIsNoRepeatThoughItsIdIs() throws Exception {
        aligner.send(begin("786:10"), postgresEvent(786, 10, 1), end("786:20", 0, 1));
        byte[] later = Events.bytes(new String(postgresEvent(786, 10, 2)).replace("1000", "2000"));
        aligner.send(begin("786:10"), later, end("786:20", 0, 1));
        assertEquals(List.of(1L, 2L), ids(EVENTS));
    }

    @Test
    void transactionsOfMySqlAreNotTakenForOneThoughTheirIdsBeginAlike() throws Exception {
        String server = "df3a9e58-c0a1-11f0-9d2e-0242ac120002:";
        aligner.send(begin(server + 1), Events.event(server + 1, 10, 1), end(server + 1, 0, 1));
        aligner.send(begin(server + 2), Events.event(server + 2, 20, 2), end(server + 2, 0, 1));
        assertEquals(List.of(1L, 2L), ids(EVENTS));
    }
}

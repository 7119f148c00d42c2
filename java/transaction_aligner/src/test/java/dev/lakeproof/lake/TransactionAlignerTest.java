// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import static dev.lakeproof.lake.Events.NULL;
import static dev.lakeproof.lake.Events.begin;
import static dev.lakeproof.lake.Events.bytes;
import static dev.lakeproof.lake.Events.change;
import static dev.lakeproof.lake.Events.end;
import static dev.lakeproof.lake.Events.event;
import static dev.lakeproof.lake.Events.order;
import static dev.lakeproof.lake.RunningAligner.EVENTS;
import static dev.lakeproof.lake.RunningAligner.LARGE;
import static dev.lakeproof.lake.RunningAligner.ORDERS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import org.apache.flink.types.Row;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The operator in Flink's own harness: its outputs, its metrics, its state over a checkpoint. */
class TransactionAlignerTest {
    private final RunningAligner aligner = new RunningAligner();

    @AfterEach
    void close() throws Exception {
        aligner.close();
    }

    /** Rows of a table since the start, as Row writes itself. */
    private List<String> rows(CapturedTable table) {
        return aligner.rows(table).stream().map(Row::toString).toList();
    }

    private static byte[][] wholeTransaction(String id) {
        return new byte[][] {begin(id), order(id, 10, 1), event(id, 20, 5), end(id, 1, 1)};
    }

    @Test
    void aTransactionIsPassedOnAtItsEndWithItsIdAndTime() throws Exception {
        aligner.start();
        aligner.send(begin("0-1-1"), order("0-1-1", 10, 1), event("0-1-1", 20, 5));
        assertEquals(List.of(), rows(ORDERS));
        assertEquals(2, aligner.gauge("openRows"));
        aligner.send(end("0-1-1", 1, 1));
        assertEquals(List.of("+I[1, new, 0-1-1, 1000]"), rows(ORDERS));
        assertEquals(List.of("+I[5, 0-1-1, 1000]"), rows(EVENTS));
        assertEquals(1, aligner.count("transactions"));
        assertEquals(2, aligner.count("rowsPassed"));
    }

    /** What waits is forgotten too: its rest is passed over, and what a repair brings instead holds all of it. */
    @Test
    void allThatComesIsPassedOverWhereARepairBringsIt() throws Exception {
        aligner.start();
        aligner.send(begin("0-1-1"), order("0-1-1", 10, 1));
        aligner.restart(true);
        aligner.send(end("0-1-1", 1, 1));
        aligner.send(wholeTransaction("0-1-2"));
        aligner.send("no JSON".getBytes());
        assertEquals(List.of(), rows(ORDERS));
        aligner.restart(false);
        assertEquals(0, aligner.gauge("openRows"));
        aligner.send(wholeTransaction("0-1-3"));
        assertEquals(List.of("+I[1, new, 0-1-3, 1000]"), rows(ORDERS));
    }

    @Test
    void updatesAndDeletesBecomeTheirChanges() throws Exception {
        aligner.start();
        String before = "{\"id\": 1, \"status\": \"new\"}";
        aligner.send(change("0-1-1", "orders", 10, "u", before, "{\"id\": 1, \"status\": \"paid\"}"),
                change("0-1-1", "orders", 20, "d", before, NULL),
                end("0-1-1", 2, 0));
        assertEquals(
                List.of("-U[1, new, 0-1-1, 1000]", "+U[1, paid, 0-1-1, 1000]", "-D[1, new, 0-1-1, 1000]"), rows(ORDERS));
    }

    @Test
    void resultsLeaveWithTheirTransactionAndNotBefore() throws Exception {
        aligner.start();
        aligner.send(begin("0-1-1"), order("0-1-1", 10, 1));
        aligner.restart();
        assertEquals(List.of(), aligner.results());
        aligner.send(end("0-1-1", 1, 0));
        assertEquals(List.of("{\"op\":\"upsert\",\"id\":1,\"status\":\"new\",\"ts_us\":1000}"), aligner.results());
        aligner.send(end("0-1-1", 1, 0));
        assertEquals(1, aligner.results().size());
    }

    @Test
    void rowsOfTheInitialSnapshotPassAtOnceAndAreNeverDropped() throws Exception {
        aligner.start();
        byte[] row = bytes("""
                {"op": "r", "before": null, "after": {"id": 5}, "transaction": null,
                 "source": {"db": "oltp", "table": "order_events", "file": "mysql-bin.000001", "pos": 1, "row": 0}}
                """);
        aligner.send(row, row);
        assertEquals(List.of("+I[5, null, null]", "+I[5, null, null]"), rows(EVENTS));
        assertEquals(0, aligner.count("rowsRepeated"));
    }

    @Test
    void aTransactionRepeatedAfterItsEndGivesNoSecondRow() throws Exception {
        aligner.start();
        aligner.send(wholeTransaction("0-1-1"));
        aligner.send(wholeTransaction("0-1-1"));
        aligner.send(wholeTransaction("0-1-2"));
        assertEquals(List.of("+I[5, 0-1-1, 1000]", "+I[5, 0-1-2, 1000]"), rows(EVENTS));
        assertEquals(2, aligner.count("rowsRepeated"));
        assertEquals(2, aligner.count("transactions"));
    }

    @Test
    void aTransactionRepeatedAfterARestoreGivesNoSecondRow() throws Exception {
        aligner.start();
        aligner.send(wholeTransaction("0-1-1"));
        aligner.restart();
        aligner.send(wholeTransaction("0-1-1"));
        assertEquals(List.of(), rows(EVENTS));
        assertEquals(2, aligner.count("rowsRepeated"));
    }

    @Test
    void aTransactionBegunAnewGivesEachRowOnceAlsoOverARestore() throws Exception {
        aligner.start();
        aligner.send(begin("0-1-1"), order("0-1-1", 10, 1));
        aligner.restart();
        assertEquals(1, aligner.gauge("openRows"));
        aligner.send(wholeTransaction("0-1-1"));
        assertEquals(1, rows(ORDERS).size());
        assertEquals(1, rows(EVENTS).size());
        assertEquals(1, aligner.count("rowsRepeated"));
    }

    @Test
    void aTransactionBegunAnewWithOnlyItsLaterRowsIsWhole() throws Exception {
        aligner.start();
        aligner.send(begin("0-1-1"), order("0-1-1", 10, 1));
        aligner.restart();
        aligner.send(begin("0-1-1"), event("0-1-1", 20, 5), end("0-1-1", 0, 1));
        assertEquals(1, rows(ORDERS).size());
        assertEquals(1, rows(EVENTS).size());
        assertEquals(0, aligner.count("rowsRepeated"));
        assertEquals(1, aligner.count("transactions"));
    }

    @Test
    void withRepeatsNotDroppedTheSecondRowIsSeen() throws Exception {
        aligner.start(true, false, LARGE);
        aligner.send(begin("0-1-1"), event("0-1-1", 20, 5));
        aligner.send(wholeTransaction("0-1-1"));
        aligner.send(wholeTransaction("0-1-1"));
        assertEquals(3, rows(EVENTS).size());
        assertEquals(0, aligner.count("rowsRepeated"));
    }

    @Test
    void aMissingEventStopsTheJobAndNamesTheTransaction() throws Exception {
        aligner.start();
        aligner.send(order("0-1-1", 10, 1));
        IOException error = assertThrows(IOException.class, () -> aligner.send(end("0-1-1", 1, 1)));
        assertTrue(error.getMessage().contains("events of a transaction are missing"), error.getMessage());
        assertTrue(error.getMessage().contains("0-1-1"), error.getMessage());
        assertEquals(List.of(), rows(ORDERS));
        assertEquals(1, aligner.count("transactionsIncomplete"));
    }

    @Test
    void aTransactionThatIsTooLargeComesInPiecesAndOnceAlsoOverARestore() throws Exception {
        aligner.start(true, true, 700);
        aligner.send(begin("0-1-1"), order("0-1-1", 10, 1), order("0-1-1", 20, 2), order("0-1-1", 30, 3));
        assertEquals(3, rows(ORDERS).size());
        assertEquals(1, aligner.count("transactionsTooLarge"));
        aligner.restart();
        aligner.send(begin("0-1-1"), order("0-1-1", 30, 3), event("0-1-1", 40, 5), end("0-1-1", 3, 1));
        assertEquals(List.of(), rows(ORDERS));
        assertEquals(1, rows(EVENTS).size());
        assertEquals(1, aligner.count("rowsRepeated"));
    }

    @Test
    void aChangeOfAPrimaryKeyIsADeleteAndAnInsertOfOnePlace() throws Exception {
        aligner.start();
        aligner.send(begin("0-1-1"), change("0-1-1", "orders", 10, "d", "{\"id\": 1, \"status\": \"new\"}", NULL),
                order("0-1-1", 10, 2), end("0-1-1", 2, 0));
        assertEquals(List.of("-D[1, new, 0-1-1, 1000]", "+I[2, new, 0-1-1, 1000]"), rows(ORDERS));
        assertEquals(0, aligner.count("rowsRepeated"));
    }

    @Test
    void piecesOfWhichARowIsMissingStopTheJobAlsoAfterARestore() throws Exception {
        aligner.start(true, true, 100);
        aligner.send(begin("0-1-1"), order("0-1-1", 10, 1), order("0-1-1", 10, 2));
        assertEquals(1, rows(ORDERS).size());
        aligner.restart();
        IOException error = assertThrows(IOException.class, () -> aligner.send(end("0-1-1", 2, 0)));
        assertTrue(error.getMessage().contains("pieces of it were passed on already"), error.getMessage());
        assertTrue(error.getMessage().contains("binlog_legacy_event_pos=ON"), error.getMessage());
        assertEquals(1, aligner.count("transactionsIncomplete"));
    }

    @Test
    void whatCameOfATransactionWithoutEndIsPassedOnAfterManyOthers() throws Exception {
        aligner.start();
        aligner.send(order("0-1-1", 10, 1));
        for (int other = 2; other <= OpenTransactions.ENDS_WAITED_FOR + 2; other++) {
            aligner.send(end("0-1-" + other, 0, 0));
        }
        assertEquals(1, rows(ORDERS).size());
        assertEquals(1, aligner.count("transactionsWithoutEnd"));
    }

    @Test
    void anAppendOnlyTableRefusesAnUpdateAndGoesOn() throws Exception {
        aligner.start();
        aligner.send(change("0-1-1", "order_events", 10, "u", "{\"id\": 5}", "{\"id\": 6}"),
                event("0-1-1", 20, 7), end("0-1-1", 0, 2));
        assertEquals(List.of("+I[7, 0-1-1, 1000]"), rows(EVENTS));
        assertEquals(1, aligner.count("changesRefused"));
    }

    @Test
    void aTableThatNoSqlFileDeclaresIsPassedOver() throws Exception {
        aligner.start();
        aligner.send(change("0-1-1", "carts", 10, "c", NULL, "{\"id\": 1}"), order("0-1-1", 20, 1), end("0-1-1", 1, 0));
        assertEquals(1, aligner.count("rowsPassed"));
    }

    @Test
    void anUnexpectedColumnIsCountedAndLeftOut() throws Exception {
        aligner.start();
        aligner.send(change("0-1-1", "orders", 10, "c", NULL, "{\"id\": 1, \"status\": \"new\", \"coupon\": \"tea\"}"),
                end("0-1-1", 1, 0));
        assertEquals(List.of("+I[1, new, 0-1-1, 1000]"), rows(ORDERS));
        assertEquals(1, aligner.gauge("unexpectedColumns"));
    }

    @Test
    void whatIsNotJsonOrHasNoTransactionIdStopsTheJob() throws Exception {
        aligner.start();
        assertTrue(assertThrows(IOException.class, () -> aligner.send(bytes("nonsense"))).getMessage().startsWith("not JSON"));
        IOException error = assertThrows(IOException.class, () -> aligner.send(order("", 10, 1)));
        assertTrue(error.getMessage().contains("without the transaction's id"), error.getMessage());
    }

    @Test
    void withoutAligningRowsPassAtOnce() throws Exception {
        aligner.start(false, true, LARGE);
        aligner.send(order("0-1-1", 10, 1));
        assertEquals(1, rows(ORDERS).size());
    }
}

// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lakeproof.lake.OpenTransactions.Ending;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The rules of what is taken, told in the words of the source's log: row n stands at position n of one file. */
class OpenTransactionsTest {
    private static final String ORDERS = "oltp.orders";
    private static final String FILE = "mysql-bin.000001";

    private OpenTransactions<String> open = new OpenTransactions<>(true);
    private final List<String> passed = new ArrayList<>();

    /** Row {@code position} of the transaction comes; true when it was taken. */
    private boolean comes(String id, long position) {
        return comes(id, ORDERS, new Place(FILE, position, 0, Place.LAST_STEP), 1_000L);
    }

    private boolean comes(String id, String table, Place place, Long writtenAt) {
        if (open.isRepeat(id, table, place, writtenAt)) {
            return false;
        }
        open.add(id, table, place, writtenAt, id + "@" + (place == null ? "?" : place.position()), 100);
        return true;
    }

    /** END comes, counting that many orders; what it releases is passed on. */
    private Ending ends(String id, int orders) {
        Ending ending = open.endBy(id, Map.of(ORDERS, orders));
        if (ending == Ending.COMPLETE || ending == Ending.REPLAYED) {
            passed.addAll(open.release(id));
        }
        return ending;
    }

    /** The delete and the insert of one row at {@code position}, as Debezium sends a change of its primary key. */
    private boolean keyChanges(String id, long position) {
        return comes(id, ORDERS, new Place(FILE, position, 0, 0), 1_000L) & comes(id, position);
    }

    /** A job that starts from a checkpoint of this one, with that much of its state. */
    private void restores(List<byte[]> passedBytes, List<Map<String, Map<String, Integer>>> splitCounts) {
        OpenTransactions<String> restored = new OpenTransactions<>(true);
        restored.restore(open.lastCompleted(), open.splitIds(), splitCounts, passedBytes);
        open = restored;
    }

    /** A job that starts from a checkpoint of this one. */
    private void restores() {
        restores(List.of(open.passedBytes()), List.of(open.splitCounts()));
    }

    /** What was written before a place had a step: transaction 0-1-1 ended, with a last row at position 10. */
    private static byte[] passedBytesWithoutSteps() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeInt(2);
        out.writeUTF(ORDERS);
        out.writeUTF(FILE);
        out.writeInt(1);
        out.writeUTF("0-1-1");
        out.writeBoolean(true);
        out.writeShort(1);
        out.writeInt(0);
        out.writeBoolean(true);
        out.writeLong(1_000);
        out.writeBoolean(true);
        out.writeInt(1);
        out.writeLong(10);
        out.writeLong(0);
        return bytes.toByteArray();
    }

    @Test
    void aWholeTransactionIsReleasedInItsOrder() {
        comes("0-1-1", 10);
        comes("0-1-1", 20);
        assertEquals(2, open.waitingRows());
        assertEquals(Ending.COMPLETE, ends("0-1-1", 2));
        assertEquals(List.of("0-1-1@10", "0-1-1@20"), passed);
        assertEquals(0, open.waitingRows());
        assertEquals("0-1-1", open.lastCompleted());
    }

    @Test
    void interleavedTransactionsAreKeptApart() {
        comes("0-1-1", 10);
        comes("0-1-2", 20);
        comes("0-1-1", 30);
        assertEquals(Ending.COMPLETE, ends("0-1-2", 1));
        assertEquals(List.of("0-1-2@20"), passed);
        assertEquals(Ending.COMPLETE, ends("0-1-1", 2));
        assertEquals(List.of("0-1-2@20", "0-1-1@10", "0-1-1@30"), passed);
        assertEquals("0-1-2", open.lastCompleted());
    }

    @Test
    void anEventThatIsMissingIsSeenAtTheEnd() {
        comes("0-1-1", 10);
        assertEquals(Ending.INCOMPLETE, ends("0-1-1", 2));
        assertEquals("transaction 0-1-1: END counts {oltp.orders=2}, came {oltp.orders=1}",
                open.describe("0-1-1", Map.of(ORDERS, 2)));
    }

    @Test
    void aRowRepeatedBeforeTheEndIsTakenOnce() {
        comes("0-1-1", 10);
        assertFalse(comes("0-1-1", 10));
        assertTrue(comes("0-1-1", 20));
        assertEquals(Ending.COMPLETE, ends("0-1-1", 2));
        assertEquals(List.of("0-1-1@10", "0-1-1@20"), passed);
    }

    @Test
    void aRepeatedRowDoesNotStandInForOneThatIsMissing() {
        comes("0-1-1", 10);
        comes("0-1-1", 10);
        assertEquals(Ending.INCOMPLETE, ends("0-1-1", 2));
    }

    @Test
    void anEndThatCountsOnlyTheLaterRowsOfATransactionBegunAnewIsEnough() {
        comes("0-1-1", 10);
        comes("0-1-1", 20);
        comes("0-1-1", 30);
        assertEquals(Ending.COMPLETE, ends("0-1-1", 1));
        assertEquals(3, passed.size());
    }

    @Test
    void aTransactionRepeatedAfterItsEndIsDroppedWithItsEnd() {
        comes("0-1-1", 10);
        comes("0-1-1", 20);
        ends("0-1-1", 2);
        assertFalse(comes("0-1-1", 10));
        assertFalse(comes("0-1-1", 20));
        assertEquals(Ending.REPEATED, ends("0-1-1", 2));
        assertEquals(2, passed.size());
    }

    @Test
    void aPartRepeatedAfterTheEndIsDropped() {
        comes("0-1-1", 10);
        comes("0-1-1", 20);
        ends("0-1-1", 2);
        assertFalse(comes("0-1-1", 20));
        assertEquals(Ending.REPEATED, ends("0-1-1", 1));
    }

    @Test
    void aRowBeyondTheEndIsNotLost() {
        comes("0-1-1", 10);
        ends("0-1-1", 1);
        assertFalse(comes("0-1-1", 10));
        assertTrue(comes("0-1-1", 20));
        assertEquals(Ending.REPLAYED, ends("0-1-1", 2));
        assertEquals(List.of("0-1-1@10", "0-1-1@20"), passed);
    }

    @Test
    void anOlderTransactionThatNeverCameIsNotLost() {
        comes("0-1-2", 20);
        ends("0-1-2", 1);
        assertTrue(comes("0-1-1", 10));
        assertEquals(Ending.COMPLETE, ends("0-1-1", 1));
        assertEquals(List.of("0-1-2@20", "0-1-1@10"), passed);
    }

    @Test
    void aTableThatTheTransactionHadNoRowOfIsNotLost() {
        comes("0-1-1", 20);
        ends("0-1-1", 1);
        assertTrue(comes("0-1-1", "oltp.refunds", new Place(FILE, 10, 0, Place.LAST_STEP), 1_000L));
    }

    @Test
    void aSourceThatWasSetUpAnewAndCountsFromOneAgainLosesNothing() {
        comes("0-1-1", 20);
        ends("0-1-1", 1);
        assertTrue(comes("0-1-1", ORDERS, new Place(FILE, 10, 0, Place.LAST_STEP), 2_000L));
    }

    @Test
    void theSameTransactionFromAnotherServersLogIsARepeat() {
        comes("0-1-1", 10);
        ends("0-1-1", 1);
        assertFalse(comes("0-1-1", ORDERS, new Place("replica-bin.000007", 99, 0, Place.LAST_STEP), 1_000L));
    }

    @Test
    void whereTheSourceNamesNoPlaceAnEndedTransactionIsKnownByItsId() {
        comes("771:24", ORDERS, null, 1_000L);
        assertTrue(comes("771:24", ORDERS, null, 1_000L), "within an open one nothing tells two rows apart");
        ends("771:24", 2);
        assertFalse(comes("771:24", ORDERS, null, 1_000L));
        assertEquals(Ending.REPEATED, ends("771:24", 2));
    }

    @Test
    void piecesOfATransactionThatIsTooLargeAreNotPassedTwice() {
        comes("0-1-1", 10);
        comes("0-1-1", 20);
        passed.addAll(open.releasePart("0-1-1"));
        assertFalse(comes("0-1-1", 10));
        assertFalse(comes("0-1-1", 20));
        assertTrue(comes("0-1-1", 30));
        assertFalse(comes("0-1-1", 30));
        assertEquals(Ending.COMPLETE, ends("0-1-1", 3));
        assertEquals(List.of("0-1-1@10", "0-1-1@20", "0-1-1@30"), passed);
        assertFalse(comes("0-1-1", 30));
        assertEquals(Ending.REPEATED, ends("0-1-1", 3));
    }

    @Test
    void aPieceWithoutPlacesDropsNothingOfWhatComesAfterIt() {
        comes("771:24", ORDERS, null, 1_000L);
        open.releasePart("771:24");
        assertTrue(comes("771:24", ORDERS, null, 1_000L));
        assertEquals(Ending.COMPLETE, ends("771:24", 2));
    }

    @Test
    void rowsOfOneEventOfTheLogAreToldApart() {
        assertTrue(comes("0-1-1", ORDERS, new Place(FILE, 10, 0, Place.LAST_STEP), 1_000L));
        passed.addAll(open.releasePart("0-1-1"));
        assertFalse(comes("0-1-1", ORDERS, new Place(FILE, 10, 0, Place.LAST_STEP), 1_000L));
        assertTrue(comes("0-1-1", ORDERS, new Place(FILE, 10, 1, Place.LAST_STEP), 1_000L));
    }

    @Test
    void bothEventsOfAKeysChangeAreTakenOnce() {
        assertTrue(keyChanges("0-1-1", 10));
        assertFalse(comes("0-1-1", ORDERS, new Place(FILE, 10, 0, 0), 1_000L));
        assertFalse(comes("0-1-1", 10));
        assertEquals(Ending.COMPLETE, ends("0-1-1", 2));
        assertFalse(comes("0-1-1", ORDERS, new Place(FILE, 10, 0, 0), 1_000L));
        assertFalse(comes("0-1-1", 10));
    }

    @Test
    void aKeysChangeMayLieInTwoPiecesAlsoOverARestore() {
        comes("0-1-1", ORDERS, new Place(FILE, 10, 0, 0), 1_000L);
        open.releasePart("0-1-1");
        restores();
        assertFalse(comes("0-1-1", ORDERS, new Place(FILE, 10, 0, 0), 1_000L));
        assertTrue(comes("0-1-1", 10));
        open.releasePart("0-1-1");
        assertFalse(comes("0-1-1", 10));
        assertTrue(keyChanges("0-1-1", 20));
        assertEquals(Ending.COMPLETE, ends("0-1-1", 4));
    }

    @Test
    void ofAStateWithoutStepsAllOfTheLastRowCame() throws IOException {
        restores(List.of(passedBytesWithoutSteps()), List.of());
        assertFalse(comes("0-1-1", ORDERS, new Place(FILE, 10, 0, 0), 1_000L));
        assertFalse(comes("0-1-1", 10));
        assertTrue(comes("0-1-1", 11));
        assertEquals(1, open.remembered());
    }

    @Test
    void aStateOfANewerOperatorIsRefused() {
        List<byte[]> newer = List.of(new byte[] {-1, -1, -1, -3});
        assertThrows(UncheckedIOException.class, () -> restores(newer, List.of()));
    }

    @Test
    void piecesOfWhichARowIsMissingAreSeenAtTheEndAlsoOverARestore() {
        comes("0-1-1", 10);
        open.releasePart("0-1-1");
        assertFalse(comes("0-1-1", 10), "without places of their own, two rows look like one");
        restores();
        comes("0-1-1", 20);
        open.releasePart("0-1-1");
        comes("0-1-1", 30);
        assertEquals(Ending.INCOMPLETE, ends("0-1-1", 4));
        assertEquals("transaction 0-1-1: END counts {oltp.orders=4}, came {oltp.orders=3}",
                open.describe("0-1-1", Map.of(ORDERS, 4)));
    }

    @Test
    void anEndThatCountsOnlyTheLaterRowsOfPiecesIsEnough() {
        comes("0-1-1", 10);
        comes("0-1-1", 20);
        open.releasePart("0-1-1");
        comes("0-1-1", 30);
        assertEquals(Ending.COMPLETE, ends("0-1-1", 1));
        assertEquals(Map.of(), open.splitCounts());
    }

    @Test
    void piecesFromBeforeTheyWereCountedAreTakenAsTheyAre() {
        comes("0-1-1", 10);
        open.releasePart("0-1-1");
        restores(List.of(open.passedBytes()), List.of());
        comes("0-1-1", 20);
        open.releasePart("0-1-1");
        assertEquals(Ending.COMPLETE, ends("0-1-1", 3));
    }

    @Test
    void piecesOfATransactionThatWasGivenUpBeforeAreTakenAsTheyAre() {
        comes("b", 10);
        open.releaseAbandoned("b");
        ends("a", 0);
        comes("b", 20);
        open.releasePart("b");
        assertEquals(Ending.COMPLETE, ends("b", 2));
    }

    @Test
    void aTransactionWithoutItsEndIsGivenUpAfterManyOthersAndMayGoOnLater() {
        comes("0-1-1", 10);
        for (int other = 2; other <= OpenTransactions.ENDS_WAITED_FOR + 2; other++) {
            assertEquals(List.of(), open.abandoned());
            ends("0-1-" + other, 0);
        }
        assertEquals(List.of("0-1-1"), open.abandoned());
        passed.addAll(open.releaseAbandoned("0-1-1"));
        assertEquals(List.of(), open.abandoned());
        assertFalse(comes("0-1-1", 10));
        assertTrue(comes("0-1-1", 20));
        assertEquals(Ending.REPLAYED, ends("0-1-1", 2));
        assertEquals(List.of("0-1-1@10", "0-1-1@20"), passed);
    }

    @Test
    void theEndOfAnAbandonedTransactionWithIdsOfNoOrderStopsNothing() {
        comes("b", ORDERS, null, 1_000L);
        open.releaseAbandoned("b");
        ends("a", 0);
        assertEquals(Ending.REPLAYED, ends("b", 1));
    }

    @Test
    void whatWasPassedIsKnownAfterARestore() {
        comes("0-1-1", 10);
        ends("0-1-1", 1);
        comes("0-1-2", 20);
        open.releasePart("0-1-2");
        comes("771:24", ORDERS, null, null);
        ends("771:24", 1);
        ends("0-1-3", 0);
        restores();
        assertFalse(comes("0-1-1", 10));
        assertEquals(Ending.REPEATED, ends("0-1-1", 1));
        assertFalse(comes("0-1-2", 20));
        assertTrue(comes("0-1-2", 30));
        assertEquals(Ending.COMPLETE, ends("0-1-2", 2));
        assertFalse(comes("771:24", ORDERS, null, null));
        assertEquals(Ending.REPEATED, ends("0-1-3", 0));
    }

    @Test
    void aCheckpointOfBeforeThereWasThatStateIsGoneOnFrom() {
        comes("0-1-1", 10);
        ends("0-1-1", 1);
        restores(List.of(), List.of());
        assertTrue(comes("0-1-1", 10), "what is not remembered passes, as before");
        assertEquals(Ending.COMPLETE, ends("0-1-1", 1));
        assertFalse(comes("0-1-1", 10));
    }

    @Test
    void onlyTheNewestAreRemembered() {
        for (int number = 1; number <= PassedTransactions.REMEMBERED + 1; number++) {
            comes("0-1-" + number, 10L * number);
            ends("0-1-" + number, 1);
        }
        assertEquals(PassedTransactions.REMEMBERED, open.remembered());
        assertFalse(comes("0-1-2", 20));
        assertTrue(comes("0-1-1", 10));
    }

    @Test
    void withRepeatsNotDroppedEveryRowIsTakenAsOftenAsItComes() {
        open = new OpenTransactions<>(false);
        comes("0-1-1", 10);
        assertTrue(comes("0-1-1", 10));
        assertEquals(Ending.COMPLETE, ends("0-1-1", 1));
        assertTrue(comes("0-1-1", 10));
        assertEquals(Ending.COMPLETE, ends("0-1-1", 1));
        assertTrue(comes("0-1-1", 10));
        assertEquals(Ending.REPLAYED, ends("0-1-1", 2));
        assertEquals(4, passed.size());
        assertEquals(0, open.remembered());
    }

    @Test
    void eachRepeatedTransactionIsToldOfOnce() {
        assertTrue(open.isToldFirst("0-1-1"));
        assertFalse(open.isToldFirst("0-1-1"));
        assertTrue(open.isToldFirst("0-1-2"));
    }

    @Test
    void idsAreComparedWithinADomainOnly() {
        assertTrue(OpenTransactions.isNoNewerThan("0-1-9", "0-2-10"));
        assertFalse(OpenTransactions.isNoNewerThan("0-1-11", "0-1-10"));
        assertFalse(OpenTransactions.isNoNewerThan("1-1-9", "0-1-10"));
        assertFalse(OpenTransactions.isNoNewerThan("771:24", "772:30"));
        assertTrue(OpenTransactions.isNoNewerThan("771:24", "771:24"));
        assertFalse(OpenTransactions.isNoNewerThan("0-1-1", null));
        assertFalse(OpenTransactions.isNoNewerThan("a-b-c", "a-b-d"));
    }
}

// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The transactions whose END marker has not come yet: what came of each, and what to think of it when it ends.
 *
 * <p>A source writes its transactions one after another, so that as a rule one is open. More are while two connectors
 * write into the topic; each is kept apart by its id. Plain Java, so that the rules can be read without Flink.
 * {@code C} is a change that can be passed on.
 *
 * <p>A source may send rows again, in three ways. Its reader stopped in the middle of a transaction (a pause under load
 * fills its queue): BEGIN and the rows that came already come once more, before the one END. It was killed in the
 * middle: BEGIN comes once more, then only the rows that are missing, and END counts only those. It was killed twice in
 * a moment: the whole transaction comes once more, after its END. A row that came already is told by its place in the
 * source's log; {@code total_order} does not tell, for it counts other rows from 1 again.
 */
final class OpenTransactions<C> {
    /** An END that has not come while so many others did will never come. */
    static final int ENDS_WAITED_FOR = 1000;

    /** What an END marker says about the transaction it ends. */
    enum Ending {
        /** As many events of every table as the marker counts, or more (a restarted connector repeats some). */
        COMPLETE,
        /** Its END came before, and no row that was not passed on then: there is nothing to do. */
        REPEATED,
        /** Events are missing, but some were passed on before: a restarted connector sends parts again. */
        REPLAYED,
        /** Events are missing for sure. */
        INCOMPLETE
    }

    private static final class Open<C> {
        private final List<C> changes = new ArrayList<>();
        private final Map<String, Integer> counts = new HashMap<>();
        private final Set<Place> places = new HashSet<>();
        private Place last;
        private Long writtenAt;
        private long bytes;
        private long openedAtEnd;
    }

    private final Map<String, Open<C>> open = new LinkedHashMap<>();
    private final Set<String> split = new LinkedHashSet<>();
    /** Per split id and table how many events were passed on; without an id of which that is not known. */
    private final Map<String, Map<String, Integer>> splitCounts = new HashMap<>();
    private final boolean dropRepeats;
    private final PassedTransactions passed = new PassedTransactions();
    private final Set<String> told = new LinkedHashSet<>();
    private String lastCompleted;
    private long ends;

    /** @param dropRepeats false takes every row as often as it comes */
    OpenTransactions(boolean dropRepeats) {
        this.dropRepeats = dropRepeats;
    }

    /**
     * True when this row came already, in a transaction that is open or was passed on; it must not be added.
     *
     * @param place where the row stands in the source's log; null where the source does not say
     * @param writtenAt when the source wrote it, in µs; null where it does not say
     */
    boolean isRepeat(String id, String sourceTable, Place place, Long writtenAt) {
        if (!dropRepeats) {
            return false;
        }
        Open<C> transaction = open.get(id);
        return passed.hasRow(id, sourceTable, place, writtenAt)
                || (transaction != null && place != null && transaction.places.contains(place));
    }

    /** True at the first call for this transaction: so each is told of once. */
    boolean isToldFirst(String id) {
        if (told.size() == PassedTransactions.REMEMBERED) {
            told.remove(told.iterator().next());
        }
        return told.add(id);
    }

    /** Takes one change; gives how many bytes of its transaction wait now. The parameters are {@link #isRepeat}'s. */
    long add(String id, String sourceTable, Place place, Long writtenAt, C change, int size) {
        Open<C> transaction = open.computeIfAbsent(id, ignored -> new Open<>());
        if (transaction.changes.isEmpty()) {
            transaction.openedAtEnd = ends;
        }
        if (dropRepeats && place != null) {
            transaction.places.add(place);
        }
        transaction.last = PassedTransactions.further(transaction.last, place);
        transaction.writtenAt = PassedTransactions.later(transaction.writtenAt, writtenAt);
        transaction.changes.add(change);
        transaction.counts.merge(sourceTable, 1, Integer::sum);
        transaction.bytes += size;
        return transaction.bytes;
    }

    /**
     * Judges a transaction by its END marker.
     *
     * @param expected table → number of events, as the marker says
     */
    Ending endBy(String id, Map<String, Integer> expected) {
        if (passed.hasEnded(id) && !open.containsKey(id)) {
            return Ending.REPEATED;
        }
        ends++;
        boolean isSplit = split.contains(id);
        if (isSplit && !splitCounts.containsKey(id)) {
            return Ending.COMPLETE;
        }
        Map<String, Integer> counts = counts(id);
        for (Map.Entry<String, Integer> table : expected.entrySet()) {
            if (counts.getOrDefault(table.getKey(), 0) < table.getValue()) {
                boolean isSentAgain = (passed.has(id) && !isSplit) || isNoNewerThan(id, lastCompleted);
                return isSentAgain ? Ending.REPLAYED : Ending.INCOMPLETE;
            }
        }
        return Ending.COMPLETE;
    }

    /** A line for logs: id, and per table how many events came of how many. */
    String describe(String id, Map<String, Integer> expected) {
        return "transaction " + id + ": END counts " + expected + ", came " + counts(id);
    }

    /** Ends a transaction: its changes, in order, to be passed on now; it counts as completed. */
    List<C> release(String id) {
        split.remove(id);
        splitCounts.remove(id);
        markCompleted(id);
        return take(id, true);
    }

    /** Gives up waiting for an END: what came, to be passed on now. More of it may come, and is taken then. */
    List<C> releaseAbandoned(String id) {
        markCompleted(id);
        return take(id, false);
    }

    /** Gives up keeping a transaction whole: what came of it so far, to be passed on now; more of it may come. */
    List<C> releasePart(String id) {
        if (split.add(id) && !passed.has(id)) {
            splitCounts.put(id, new HashMap<>());
        }
        return take(id, false);
    }

    /** True when a part of this transaction was passed on because it is too large. */
    boolean isSplit(String id) {
        return split.contains(id);
    }

    private void markCompleted(String id) {
        if (!isNoNewerThan(id, lastCompleted)) {
            lastCompleted = id;
        }
    }

    private List<C> take(String id, boolean ended) {
        Open<C> waiting = open.remove(id);
        Open<C> transaction = waiting == null ? new Open<>() : waiting;
        if (dropRepeats) {
            passed.note(id, ended, transaction.counts.keySet(), transaction.last, transaction.writtenAt);
        }
        splitCounts.computeIfPresent(id, (ignored, before) -> sum(before, transaction.counts));
        return transaction.changes;
    }

    /** The ids of transactions whose END will not come any more, oldest first. */
    List<String> abandoned() {
        List<String> ids = new ArrayList<>();
        for (Map.Entry<String, Open<C>> entry : open.entrySet()) {
            if (ends - entry.getValue().openedAtEnd > ENDS_WAITED_FOR) {
                ids.add(entry.getKey());
            }
        }
        return ids;
    }

    /** All that waits, transaction by transaction, for the checkpoint. */
    List<C> waiting() {
        List<C> all = new ArrayList<>();
        for (Open<C> transaction : open.values()) {
            all.addAll(transaction.changes);
        }
        return all;
    }

    int waitingRows() {
        int rows = 0;
        for (Open<C> transaction : open.values()) {
            rows += transaction.changes.size();
        }
        return rows;
    }

    /** The ids of transactions of which a part was passed on, for the checkpoint. */
    List<String> splitIds() {
        return new ArrayList<>(split);
    }

    /** Per such id and table how many events were passed on, where that is known, for the checkpoint. */
    Map<String, Map<String, Integer>> splitCounts() {
        return new HashMap<>(splitCounts);
    }

    /** What is remembered of the transactions passed on, for the checkpoint. */
    byte[] passedBytes() {
        return passed.toBytes();
    }

    /** How many transactions passed on are remembered. */
    int remembered() {
        return passed.size();
    }

    String lastCompleted() {
        return lastCompleted;
    }

    /**
     * Takes back what a checkpoint holds; the changes that waited are added after it, each as it came.
     *
     * @param lastCompletedId null where none was
     * @param counts {@link #splitCounts}; empty in a checkpoint of before there were any, else one
     * @param passedBytes empty in a checkpoint of before there were any, else one
     */
    void restore(
            String lastCompletedId,
            Iterable<String> splitIds,
            Iterable<Map<String, Map<String, Integer>>> counts,
            Iterable<byte[]> passedBytes) {
        lastCompleted = lastCompletedId;
        splitIds.forEach(split::add);
        counts.forEach(splitCounts::putAll);
        if (dropRepeats) {
            passedBytes.forEach(passed::restore);
        }
    }

    private Map<String, Integer> counts(String id) {
        Open<C> transaction = open.get(id);
        Map<String, Integer> waiting = transaction == null ? Map.of() : transaction.counts;
        return sum(splitCounts.getOrDefault(id, Map.of()), waiting);
    }

    private static Map<String, Integer> sum(Map<String, Integer> some, Map<String, Integer> more) {
        Map<String, Integer> all = new HashMap<>(some);
        more.forEach((table, count) -> all.merge(table, count, Integer::sum));
        return all;
    }

    /**
     * True when both are GTIDs of one domain (domain-server-sequence) and {@code candidate}'s sequence is not above
     * {@code reference}'s; equal ids are no newer either. Ids of another shape are only compared for equality.
     */
    static boolean isNoNewerThan(String candidate, String reference) {
        if (reference == null) {
            return false;
        }
        if (candidate.equals(reference)) {
            return true;
        }
        String[] left = candidate.split("-");
        String[] right = reference.split("-");
        if (left.length != 3 || right.length != 3 || !left[0].equals(right[0])) {
            return false;
        }
        try {
            return Long.parseLong(left[2]) <= Long.parseLong(right[2]);
        } catch (NumberFormatException notAGtid) {
            return false;
        }
    }
}

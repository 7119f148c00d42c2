/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance
 * with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0. Unless
 * required by applicable law or agreed to in writing, software distributed under the License is distributed on an
 * "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 */
package dev.lakeproof.lake;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
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
 */
final class OpenTransactions<C> {
    /** An END that has not come while so many others did will never come. */
    static final int ENDS_WAITED_FOR = 1000;

    /** What an END marker says about the transaction it ends. */
    enum Ending {
        /** As many events of every table as the marker counts, or more (a restarted connector repeats some). */
        COMPLETE,
        /** Events are missing, but the transaction was passed on before: a restarted connector sends parts again. */
        REPLAYED,
        /** Events are missing for sure. */
        INCOMPLETE
    }

    private static final class Open<C> {
        private final List<C> changes = new ArrayList<>();
        private final Map<String, Integer> counts = new HashMap<>();
        private final Set<String> places = new HashSet<>();
        private long bytes;
        private long openedAtEnd;
    }

    private final Map<String, Open<C>> open = new LinkedHashMap<>();
    private final Set<String> split = new LinkedHashSet<>();
    private String lastCompleted;
    private long ends;
    private long repeated;

    /**
     * Takes one change; gives how many bytes of its transaction wait now.
     *
     * <p>A source whose reader stopped in the middle of a transaction (a pause under load fills its queue) begins that
     * transaction anew: BEGIN and the rows that came already come once more, before the one END. Such a row stands at
     * the same place of the source's log, and is taken once. {@code total_order} does not tell: after a restart it
     * may count other rows from 1 again.
     *
     * @param place where the row stands in the source's log; null where the source does not say
     */
    long add(String id, String sourceTable, String place, C change, int size) {
        Open<C> transaction = open.computeIfAbsent(id, ignored -> new Open<>());
        if (place != null && !transaction.places.add(place)) {
            repeated++;
            return transaction.bytes;
        }
        if (transaction.changes.isEmpty()) {
            transaction.openedAtEnd = ends;
        }
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
        ends++;
        if (split.contains(id)) {
            return Ending.COMPLETE;
        }
        Map<String, Integer> counts = counts(id);
        for (Map.Entry<String, Integer> table : expected.entrySet()) {
            if (counts.getOrDefault(table.getKey(), 0) < table.getValue()) {
                return isNoNewerThan(id, lastCompleted) ? Ending.REPLAYED : Ending.INCOMPLETE;
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
        Open<C> transaction = open.remove(id);
        split.remove(id);
        if (!isNoNewerThan(id, lastCompleted)) {
            lastCompleted = id;
        }
        return transaction == null ? List.of() : transaction.changes;
    }

    /** Gives up keeping a transaction whole: what came of it so far, to be passed on now; more of it may come. */
    List<C> releasePart(String id) {
        Open<C> transaction = open.remove(id);
        split.add(id);
        return transaction == null ? List.of() : transaction.changes;
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

    /** How many rows came a second time within their transaction, and were left out. */
    long repeated() {
        return repeated;
    }

    String lastCompleted() {
        return lastCompleted;
    }

    void restore(String lastCompletedId, Iterator<String> splitIds) {
        lastCompleted = lastCompletedId;
        splitIds.forEachRemaining(split::add);
    }

    private Map<String, Integer> counts(String id) {
        Open<C> transaction = open.get(id);
        return transaction == null ? Map.of() : transaction.counts;
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

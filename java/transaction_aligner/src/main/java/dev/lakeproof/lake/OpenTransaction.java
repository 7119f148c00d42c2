/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance
 * with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0. Unless
 * required by applicable law or agreed to in writing, software distributed under the License is distributed on an
 * "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 */
package dev.lakeproof.lake;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The transaction whose END marker has not come yet: what came of it, and what to think of it when it ends.
 *
 * <p>Plain Java, so that its rules can be read and tested without Flink. {@code C} is a change that can be passed on.
 */
final class OpenTransaction<C> {
    /** What an END marker says about the transaction it ends. */
    enum Ending {
        /** As many events of every table as the marker counts, or more (a restarted connector repeats some). */
        COMPLETE,
        /** Events are missing, but the transaction was passed on before: a restarted connector sends parts again. */
        REPLAYED,
        /** Events are missing for sure. */
        INCOMPLETE
    }

    private String id;
    private long bytes;
    private String lastCompleted;
    private final List<C> changes = new ArrayList<>();
    private final Map<String, Integer> counts = new HashMap<>();

    /** Takes one change of transaction {@code transactionId}, which is the open one or opens a new one. */
    void add(String transactionId, String sourceTable, C change, int size) {
        id = transactionId;
        changes.add(change);
        counts.merge(sourceTable, 1, Integer::sum);
        bytes += size;
    }

    /** True when changes wait and {@code transactionId} is another transaction than theirs. */
    boolean isOtherThan(String transactionId) {
        return !changes.isEmpty() && !transactionId.equals(id);
    }

    /**
     * Judges the open transaction by its END marker.
     *
     * @param expected table → number of events, as the marker says
     */
    Ending endBy(String transactionId, Map<String, Integer> expected) {
        boolean mine = transactionId.equals(id);
        for (Map.Entry<String, Integer> table : expected.entrySet()) {
            int came = mine ? counts.getOrDefault(table.getKey(), 0) : 0;
            if (came < table.getValue()) {
                return isNoNewerThan(transactionId, lastCompleted) ? Ending.REPLAYED : Ending.INCOMPLETE;
            }
        }
        return Ending.COMPLETE;
    }

    /** A line for logs: id, and per table how many events came of how many. */
    String describe(String transactionId, Map<String, Integer> expected) {
        Map<String, Integer> came = transactionId.equals(id) ? counts : Map.of();
        return "transaction " + transactionId + ": END counts " + expected + ", came " + came;
    }

    /** The changes, in order, to be passed on now; none stay behind. The transaction counts as completed. */
    List<C> release() {
        List<C> released = new ArrayList<>(changes);
        complete(id);
        return released;
    }

    /** Marks {@code transactionId} as passed on, and forgets what was open. */
    void complete(String transactionId) {
        if (transactionId != null && !isNoNewerThan(transactionId, lastCompleted)) {
            lastCompleted = transactionId;
        }
        changes.clear();
        counts.clear();
        id = null;
        bytes = 0;
    }

    /** What waits, for the checkpoint. */
    List<C> waiting() {
        return changes;
    }

    long bytes() {
        return bytes;
    }

    String lastCompleted() {
        return lastCompleted;
    }

    void restoreLastCompleted(String transactionId) {
        lastCompleted = transactionId;
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

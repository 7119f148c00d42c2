/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance
 * with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0. Unless
 * required by applicable law or agreed to in writing, software distributed under the License is distributed on an
 * "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 */
package dev.lakeproof.lake;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.StringJoiner;
import java.util.TreeSet;

/**
 * The newest transactions that were passed on, whole or in pieces, so that a source that sends one again is found out.
 *
 * <p>Of each it keeps the tables, how far into the log its rows went, and when the latest was written: a row that may be
 * another one is never taken for a repeat. Bounded: an older transaction is forgotten, and would pass again.
 */
final class PassedTransactions {
    /** A killed connector repeats its last transaction. At 800 a second this is 12 s of them; 1 MB in a checkpoint. */
    static final int REMEMBERED = 10_000;

    /** The one character that no id, file or table has in its name. */
    private static final String SEPARATOR = "\0";

    /**
     * @param ended its END came, so all of its rows did
     * @param tables of the rows that were passed on
     * @param last the furthest row that was passed on; null where the source names no places
     * @param writtenAt when the source wrote the latest row, in µs; null where it does not say
     */
    private record Passed(boolean ended, Set<String> tables, Place last, Long writtenAt) {}

    private final Map<String, Passed> newest = new LinkedHashMap<>();

    /** Remembers that rows of a transaction were passed on, up to {@code last}; the parameters are {@link Passed}'s. */
    void note(String id, boolean ended, Set<String> tables, Place last, Long writtenAt) {
        Passed before = newest.remove(id);
        Set<String> all = new TreeSet<>(tables);
        if (before == null) {
            newest.put(id, new Passed(ended, all, last, writtenAt));
        } else {
            all.addAll(before.tables());
            newest.put(id, new Passed(
                    ended || before.ended(), all, further(before.last(), last), later(before.writtenAt(), writtenAt)));
        }
        if (newest.size() > REMEMBERED) {
            newest.remove(newest.keySet().iterator().next());
        }
    }

    /**
     * True when this row of the transaction was passed on already.
     *
     * <p>Within the log's file its place tells. Where places cannot be compared (none named, or the same transaction
     * read from another server's log), every row of a transaction that ended is one that was passed on. Never a row of
     * a table that the transaction had no row of (a second connector, a table added to the list), nor one written later
     * than all of its rows (a source that was set up anew counts its ids from 1 again).
     */
    boolean hasRow(String id, String table, Place place, Long writtenAt) {
        Passed passed = newest.get(id);
        if (passed == null || !passed.tables().contains(table)) {
            return false;
        }
        if (writtenAt != null && passed.writtenAt() != null && writtenAt > passed.writtenAt()) {
            return false;
        }
        if (place != null && passed.last() != null && place.isInFileOf(passed.last())) {
            return place.isAtOrBefore(passed.last());
        }
        return passed.ended();
    }

    /** True when at least a part of it was passed on. */
    boolean has(String id) {
        return newest.containsKey(id);
    }

    boolean hasEnded(String id) {
        Passed passed = newest.get(id);
        return passed != null && passed.ended();
    }

    /** One line per transaction, oldest first, for the checkpoint. */
    List<String> lines() {
        List<String> lines = new ArrayList<>(newest.size());
        newest.forEach((id, passed) -> {
            Place last = passed.last() == null ? new Place("", 0, 0) : passed.last();
            StringJoiner words = new StringJoiner(SEPARATOR)
                    .add(id)
                    .add(passed.ended() ? "ended" : "")
                    .add(passed.writtenAt() == null ? "" : passed.writtenAt().toString())
                    .add(last.file())
                    .add(Long.toString(last.position()))
                    .add(Long.toString(last.row()));
            passed.tables().forEach(words::add);
            lines.add(words.toString());
        });
        return lines;
    }

    /** Takes back what {@link #lines} gave. */
    void restore(Iterable<String> lines) {
        for (String line : lines) {
            List<String> words = List.of(line.split(SEPARATOR, -1));
            Long writtenAt = words.get(2).isEmpty() ? null : Long.valueOf(words.get(2));
            Place last = new Place(words.get(3), Long.parseLong(words.get(4)), Long.parseLong(words.get(5)));
            Set<String> tables = Set.copyOf(words.subList(6, words.size()));
            note(words.get(0), words.get(1).equals("ended"), tables, last.file().isEmpty() ? null : last, writtenAt);
        }
    }

    /** The further of two places; of two files, the one that came later. Either may be null. */
    static Place further(Place before, Place now) {
        if (before == null || now == null) {
            return before == null ? now : before;
        }
        return now.isInFileOf(before) && now.isAtOrBefore(before) ? before : now;
    }

    /** The later of two times; either may be null. */
    static Long later(Long before, Long now) {
        if (before == null || now == null) {
            return before == null ? now : before;
        }
        return Math.max(before, now);
    }
}

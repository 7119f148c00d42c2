// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * The newest transactions that were passed on, whole or in pieces, so that a source that sends one again is found out.
 *
 * <p>Of each it keeps the tables, how far into the log its rows went, and when the latest was written: a row that may be
 * another one is never taken for a repeat. Bounded: an older transaction is forgotten, and would pass again.
 */
final class PassedTransactions {
    /** A killed connector repeats its last transaction. At 800 a second this is 12 s of them; 0.5 MB in a checkpoint. */
    static final int REMEMBERED = 10_000;

    /** Marks the format with steps: the one before it begins with a number of names, which is never negative. */
    private static final int WITH_STEPS = -2;

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
     * read from another server's log, rows of one record of PostgreSQL's), every row of a transaction that ended is one
     * that was passed on. Never a row of
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
            return place.isAtOrBefore(passed.last()) || (passed.ended() && place.isUnorderedWith(passed.last()));
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

    /**
     * All of it, oldest first, for the checkpoint: the names of tables and files once, then each transaction, about 50
     * bytes. One value, because Flink takes three times as long (15 ms) for 10,000 texts.
     */
    byte[] toBytes() {
        Map<String, Integer> names = new LinkedHashMap<>();
        for (Passed passed : newest.values()) {
            passed.tables().forEach(table -> names.putIfAbsent(table, names.size()));
            if (passed.last() != null) {
                names.putIfAbsent(passed.last().file(), names.size());
            }
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(64 * newest.size() + 1024);
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeInt(WITH_STEPS);
            out.writeInt(names.size());
            for (String name : names.keySet()) {
                out.writeUTF(name);
            }
            out.writeInt(newest.size());
            for (Map.Entry<String, Passed> entry : newest.entrySet()) {
                out.writeUTF(entry.getKey());
                write(entry.getValue(), names, out);
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return bytes.toByteArray();
    }

    private static void write(Passed passed, Map<String, Integer> names, DataOutputStream out) throws IOException {
        out.writeBoolean(passed.ended());
        out.writeShort(passed.tables().size());
        for (String table : passed.tables()) {
            out.writeInt(names.get(table));
        }
        out.writeBoolean(passed.writtenAt() != null);
        if (passed.writtenAt() != null) {
            out.writeLong(passed.writtenAt());
        }
        out.writeBoolean(passed.last() != null);
        if (passed.last() != null) {
            out.writeInt(names.get(passed.last().file()));
            out.writeLong(passed.last().position());
            out.writeLong(passed.last().row());
            out.writeByte(passed.last().step());
        }
    }

    /** Takes back what {@link #toBytes} gave, also that of before there were steps: all of the last row came then. */
    void restore(byte[] bytes) {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            int first = in.readInt();
            if (first < 0 && first != WITH_STEPS) {
                throw new IOException("unknown format " + first + ", written by a newer operator");
            }
            boolean withSteps = first == WITH_STEPS;
            String[] names = new String[withSteps ? in.readInt() : first];
            for (int i = 0; i < names.length; i++) {
                names[i] = in.readUTF();
            }
            for (int left = in.readInt(); left > 0; left--) {
                String id = in.readUTF();
                boolean ended = in.readBoolean();
                Set<String> tables = new TreeSet<>();
                for (int tablesLeft = in.readShort(); tablesLeft > 0; tablesLeft--) {
                    tables.add(names[in.readInt()]);
                }
                Long writtenAt = in.readBoolean() ? in.readLong() : null;
                Place last = in.readBoolean() ? readPlace(in, names, withSteps) : null;
                note(id, ended, tables, last, writtenAt);
            }
        } catch (IOException error) {
            throw new UncheckedIOException("the state of transactions passed on cannot be read", error);
        }
    }

    private static Place readPlace(DataInputStream in, String[] names, boolean withSteps) throws IOException {
        return new Place(
                names[in.readInt()], in.readLong(), in.readLong(), withSteps ? in.readByte() : Place.LAST_STEP);
    }

    int size() {
        return newest.size();
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

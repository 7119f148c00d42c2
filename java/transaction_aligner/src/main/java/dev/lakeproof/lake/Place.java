// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake;

import java.util.List;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;

/**
 * Where a row stands in the source's log. The same row has the same place however often it is sent.
 *
 * <p>MariaDB names a file, an event in it and a row in that. PostgreSQL names the record in its WAL; of the rows of one
 * record (a COPY, a change of a primary key) it names no order, so there {@code row} is a digest of what the row holds.
 *
 * @param file of the log; a transaction lies in one file. {@link #WAL} for PostgreSQL, whose log is one
 * @param position of the log's event in the file
 * @param row in that event, from 0; or a digest
 * @param step 0 for a delete, else 1: Debezium sends a change of a primary key as a delete and an insert of one row
 */
record Place(String file, long position, long row, int step) {
    /** The step of all but deletes; nothing of a row comes after it. */
    static final int LAST_STEP = 1;

    /** The file of all places in PostgreSQL's log. */
    static final String WAL = "wal";

    /** The place that a change event names; null where it does not say all of it. */
    static Place of(JsonNode event) {
        JsonNode source = event.path("source");
        int step = event.path("op").asText().equals("d") ? 0 : LAST_STEP;
        if (source.hasNonNull("file") && source.hasNonNull("pos") && source.hasNonNull("row")) {
            return new Place(source.get("file").asText(), source.get("pos").asLong(), source.get("row").asLong(), step);
        }
        if (source.hasNonNull("lsn")) {
            return new Place(WAL, source.get("lsn").asLong(), digest(event), step);
        }
        return null;
    }

    private static long digest(JsonNode event) {
        long digest = 0xcbf29ce484222325L; // FNV-1a
        for (String part : List.of("table", "before", "after")) {
            String text = (part.equals("table") ? event.path("source") : event).path(part).toString();
            for (int i = 0; i < text.length(); i++) {
                digest = (digest ^ text.charAt(i)) * 0x100000001b3L;
            }
        }
        return digest;
    }

    boolean isInFileOf(Place other) {
        return file.equals(other.file);
    }

    /** True when both are of one record whose rows have no order. */
    boolean isUnorderedWith(Place other) {
        return file.equals(WAL) && isInFileOf(other) && position == other.position;
    }

    /** True when this row is {@code other} or was written before it; asked within one file only. */
    boolean isAtOrBefore(Place other) {
        if (position != other.position) {
            return position < other.position;
        }
        if (file.equals(WAL)) {
            return equals(other);
        }
        return row < other.row || (row == other.row && step <= other.step);
    }
}

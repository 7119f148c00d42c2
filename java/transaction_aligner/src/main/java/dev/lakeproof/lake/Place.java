/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance
 * with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0. Unless
 * required by applicable law or agreed to in writing, software distributed under the License is distributed on an
 * "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 */
package dev.lakeproof.lake;

import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;

/**
 * Where a row stands in the source's log. The same row has the same place however often it is sent.
 *
 * @param file of the log; a transaction lies in one file
 * @param position of the log's event in the file
 * @param row in that event, from 0
 * @param step 0 for a delete, else 1: Debezium sends a change of a primary key as a delete and an insert of one row
 */
record Place(String file, long position, long row, int step) {
    /** The step of all but deletes; nothing of a row comes after it. */
    static final int LAST_STEP = 1;

    /** The place that a change event names; null where it does not say all three. */
    static Place of(JsonNode event) {
        JsonNode source = event.path("source");
        if (!source.hasNonNull("file") || !source.hasNonNull("pos") || !source.hasNonNull("row")) {
            return null;
        }
        int step = event.path("op").asText().equals("d") ? 0 : LAST_STEP;
        return new Place(source.get("file").asText(), source.get("pos").asLong(), source.get("row").asLong(), step);
    }

    boolean isInFileOf(Place other) {
        return file.equals(other.file);
    }

    /** True when this row is {@code other} or was written before it; asked within one file only. */
    boolean isAtOrBefore(Place other) {
        if (position != other.position) {
            return position < other.position;
        }
        return row < other.row || (row == other.row && step <= other.step);
    }
}

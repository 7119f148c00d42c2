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
 */
record Place(String file, long position, long row) {

    /** The place that a change event names; null where it does not say all three. */
    static Place of(JsonNode event) {
        JsonNode source = event.path("source");
        if (!source.hasNonNull("file") || !source.hasNonNull("pos") || !source.hasNonNull("row")) {
            return null;
        }
        return new Place(source.get("file").asText(), source.get("pos").asLong(), source.get("row").asLong());
    }

    boolean isInFileOf(Place other) {
        return file.equals(other.file);
    }

    /** True when this row is {@code other} or was written before it; asked within one file only. */
    boolean isAtOrBefore(Place other) {
        return position < other.position || (position == other.position && row <= other.row);
    }
}

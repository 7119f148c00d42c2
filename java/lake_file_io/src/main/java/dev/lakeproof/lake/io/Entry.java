// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake.io;

/** One object or one folder as the store tells it. Lengths in bytes, times in milliseconds since the epoch. */
record Entry(Location location, boolean isFolder, long length, long modifiedMillis) {
    /** Its own name within `folder`, without a slash. */
    String name(Location folder) {
        String name = location.key.substring(folder.key.length());
        return name.endsWith("/") ? name.substring(0, name.length() - 1) : name;
    }
}

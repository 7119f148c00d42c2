/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance
 * with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0. Unless
 * required by applicable law or agreed to in writing, software distributed under the License is distributed on an
 * "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 */
package dev.lakeproof.lake.io;

/** One object or one folder as the store tells it. Lengths in bytes, times in milliseconds since the epoch. */
record Entry(Location location, boolean isFolder, long length, long modifiedMillis) {
    /** Its own name within `folder`, without a slash. */
    String name(Location folder) {
        String name = location.key.substring(folder.key.length());
        return name.endsWith("/") ? name.substring(0, name.length() - 1) : name;
    }
}

/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance
 * with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0. Unless
 * required by applicable law or agreed to in writing, software distributed under the License is distributed on an
 * "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 */
package dev.lakeproof.lake.io;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The newest small objects that this process wrote, so that it need not ask the store for what it just gave it: a
 * commit reads the manifests of the one before, a compaction the files of the flush before.
 *
 * <p>Only objects whose own name (not a folder of theirs) holds a UUID: nobody ever writes another content under that name. A name that can come
 * again (snapshot-7, of a table that was dropped and made anew by somebody else) is always asked of the store.
 */
final class WrittenHere {
    private static final Pattern UNIQUE =
            Pattern.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");

    private final int mostBytesOfOne;
    private final long mostBytes;
    private final LinkedHashMap<String, byte[]> objects = new LinkedHashMap<>(64, 0.75f, true);
    private long bytes;

    WrittenHere(int mostBytesOfOne, long mostBytes) {
        this.mostBytesOfOne = mostBytesOfOne;
        this.mostBytes = mostBytes;
    }

    synchronized void keep(Location location, byte[] content) {
        if (content.length > mostBytesOfOne || !UNIQUE.matcher(location.key.substring(location.key.lastIndexOf('/') + 1)).find()) {
            return;
        }
        forget(location);
        objects.put(location.toString(), content);
        bytes += content.length;
        for (Iterator<Map.Entry<String, byte[]>> oldest = objects.entrySet().iterator(); bytes > mostBytes; ) {
            bytes -= oldest.next().getValue().length;
            oldest.remove();
        }
    }

    /** The whole content, not to be changed; null where it is not kept. */
    synchronized byte[] find(Location location) {
        return objects.get(location.toString());
    }

    synchronized void forget(Location location) {
        byte[] gone = objects.remove(location.toString());
        bytes -= gone == null ? 0 : gone.length;
    }
}

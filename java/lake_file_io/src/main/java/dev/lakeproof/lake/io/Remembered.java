// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake.io;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * The newest small objects that this process wrote or read, so that it need not ask the store for what it just gave or got:
 * a commit reads the manifests of the one before, a compaction the files of the flush before.
 *
 * <p>What was written here is kept where its own name (not a folder of its) holds a UUID: nobody ever writes another content
 * under that name. A numbered name can come again (snapshot-7, of a table that was dropped and made anew by somebody
 * else), so it is kept for a second only: a commit asks for the same snapshot and schema several times, and whoever
 * deletes them beside a commit that has just read them must bear that one in any case. Whether the next number is there already is
 * always asked of the store, for only what is there is kept. That an object is there, and its size, is told from here for that
 * second too, whatever its name: a recovery asks whether the files of a checkpoint are still there before it commits them.
 */
final class Remembered {
    private static final Pattern UNIQUE =
            Pattern.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");
    private static final Pattern NUMBERED = Pattern.compile("(snapshot|schema)-[0-9]+");

    private record Kept(byte[] content, long sinceMillis, long sinceNanos, boolean isNumbered) {}

    private final int mostBytesOfOne;
    private final long mostBytes;
    private final long freshNanos;
    private final LinkedHashMap<String, Kept> objects = new LinkedHashMap<>(64, 0.75f, true);
    private long bytes;

    Remembered(int mostBytesOfOne, long mostBytes, long freshMillis) {
        this.mostBytesOfOne = mostBytesOfOne;
        this.mostBytes = mostBytes;
        this.freshNanos = TimeUnit.MILLISECONDS.toNanos(freshMillis);
    }

    /** Keeps what this process wrote, as far as its name allows. */
    void written(Location location, byte[] content) {
        String name = nameOf(location);
        if (UNIQUE.matcher(name).find() || NUMBERED.matcher(name).matches()) {
            keep(location, content);
        }
    }

    /** Keeps what this process read, whoever wrote it: the whole object. */
    void read(Location location, byte[] content) {
        if (NUMBERED.matcher(nameOf(location)).matches()) {
            keep(location, content);
        }
    }

    private synchronized void keep(Location location, byte[] content) {
        if (content.length > mostBytesOfOne) {
            return;
        }
        forget(location);
        boolean isNumbered = NUMBERED.matcher(nameOf(location)).matches();
        objects.put(location.toString(), new Kept(content, System.currentTimeMillis(), System.nanoTime(), isNumbered));
        bytes += content.length;
        for (Iterator<Kept> oldest = objects.values().iterator(); bytes > mostBytes; ) {
            bytes -= oldest.next().content.length;
            oldest.remove();
        }
    }

    /** The whole content, not to be changed; null where it is not kept. */
    byte[] find(Location location) {
        Kept kept = kept(location);
        return kept == null ? null : kept.content;
    }

    /** What the store would tell of it, by the time at which it was kept; empty where that is too long ago. */
    Optional<Entry> entry(Location location) {
        return Optional.ofNullable(kept(location))
                .filter(this::isFresh)
                .map(kept -> new Entry(location, false, kept.content.length, kept.sinceMillis));
    }

    private boolean isFresh(Kept kept) {
        return System.nanoTime() - kept.sinceNanos < freshNanos;
    }

    private synchronized Kept kept(Location location) {
        Kept kept = objects.get(location.toString());
        if (kept != null && kept.isNumbered && !isFresh(kept)) {
            forget(location);
            return null;
        }
        return kept;
    }

    synchronized void forget(Location location) {
        Kept gone = objects.remove(location.toString());
        bytes -= gone == null ? 0 : gone.content.length;
    }

    private static String nameOf(Location location) {
        return location.key.substring(location.key.lastIndexOf('/') + 1);
    }
}

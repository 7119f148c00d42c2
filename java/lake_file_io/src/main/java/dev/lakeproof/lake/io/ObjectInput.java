// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake.io;

import java.io.EOFException;
import java.io.IOException;
import org.apache.paimon.fs.SeekableInputStream;

/**
 * Reads an object by blocks of a megabyte, so that one request brings a whole small file, wherever its reader begins:
 * a Parquet file's reader asks for the end first. Nothing is asked before the first read; that one also says when the
 * object is not there.
 */
final class ObjectInput extends SeekableInputStream {
    static final int BLOCK_BYTES = 1 << 20;

    private final ObjectStore store;
    private final Location location;
    private long position;
    private long length = -1;
    private byte[] block = new byte[0];
    private long blockStart;

    ObjectInput(ObjectStore store, Location location) {
        this.store = store;
        this.location = location;
    }

    @Override
    public void seek(long wanted) throws IOException {
        if (wanted < 0 || (length >= 0 && wanted > length)) {
            throw new EOFException(wanted + " lies outside of " + location);
        }
        position = wanted;
    }

    @Override
    public long getPos() {
        return position;
    }

    @Override
    public int read() throws IOException {
        if (!isHeld() && !fetch()) {
            return -1;
        }
        return block[(int) (position++ - blockStart)] & 0xff;
    }

    @Override
    public int read(byte[] into, int offset, int count) throws IOException {
        if (count == 0) {
            return 0;
        }
        if (!isHeld()) {
            if (count > BLOCK_BYTES && length >= 0 && position < length) {
                return readStraight(into, offset, (int) Math.min(count, length - position));
            }
            if (!fetch()) {
                return -1;
            }
        }
        int from = (int) (position - blockStart);
        int taken = Math.min(count, block.length - from);
        System.arraycopy(block, from, into, offset, taken);
        position += taken;
        return taken;
    }

    private int readStraight(byte[] into, int offset, int count) throws IOException {
        byte[] bytes = store.get(location, position, count).bytes();
        System.arraycopy(bytes, 0, into, offset, bytes.length);
        position += bytes.length;
        return bytes.length;
    }

    private boolean isHeld() {
        return position >= blockStart && position < blockStart + block.length;
    }

    private boolean fetch() throws IOException {
        if (length >= 0 && position >= length) {
            return false;
        }
        byte[] whole = store.remembered(location);
        if (whole != null) {
            length = whole.length;
            block = whole;
            blockStart = 0;
            return isHeld();
        }
        long start = position - position % BLOCK_BYTES;
        ObjectStore.Part part = store.get(location, start, BLOCK_BYTES);
        length = part.length();
        block = part.bytes();
        blockStart = start;
        return isHeld();
    }

    @Override
    public long skip(long count) {
        long skipped = length >= 0 ? Math.max(0, Math.min(count, length - position)) : Math.max(0, count);
        position += skipped;
        return skipped;
    }

    @Override
    public void close() {
        block = new byte[0];
    }
}

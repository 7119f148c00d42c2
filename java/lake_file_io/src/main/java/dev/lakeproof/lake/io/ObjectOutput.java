// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake.io;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import org.apache.paimon.fs.PositionOutputStream;

/**
 * Writes an object when it is closed: by one PUT, or in parts where it is larger than one part. Until then nothing of
 * it can be seen.
 */
final class ObjectOutput extends PositionOutputStream {
    /** A store takes at most 10,000 parts, each but the last one of 5 MB or more. */
    static final int PART_BYTES = 16 << 20;

    private final ObjectStore store;
    private final Location location;
    private final boolean overwrite;
    private ByteArrayOutputStream held = new ByteArrayOutputStream(4096);
    private Upload upload;
    private IOException failure;
    private long position;
    private boolean isClosed;

    ObjectOutput(ObjectStore store, Location location, boolean overwrite) {
        this.store = store;
        this.location = location;
        this.overwrite = overwrite;
    }

    @Override
    public long getPos() {
        return position;
    }

    @Override
    public void write(int value) throws IOException {
        requireSound();
        held.write(value);
        position++;
        sendFullPart();
    }

    @Override
    public void write(byte[] bytes) throws IOException {
        write(bytes, 0, bytes.length);
    }

    @Override
    public void write(byte[] bytes, int offset, int count) throws IOException {
        requireSound();
        held.write(bytes, offset, count);
        position += count;
        sendFullPart();
    }

    private void sendFullPart() throws IOException {
        if (held.size() < PART_BYTES) {
            return;
        }
        if (upload == null) {
            if (!overwrite && store.head(location).isPresent()) {
                throw new java.nio.file.FileAlreadyExistsException(location.toString());
            }
            upload = store.begin(location);
        }
        send();
    }

    private void send() throws IOException {
        trying(() -> upload.add(held.toByteArray()));
        held = new ByteArrayOutputStream(PART_BYTES);
    }

    /** The first failure ends the upload, and is what whoever writes on or closes is told of. */
    private void trying(Step step) throws IOException {
        try {
            step.run();
        } catch (IOException error) {
            failure = error;
            try {
                upload.abort();
            } catch (IOException alsoFailed) {
                error.addSuppressed(alsoFailed);
            }
            throw error;
        }
    }

    private void requireSound() throws IOException {
        if (failure != null) {
            throw new IOException(location + ": not written, for a part of it failed", failure);
        }
    }

    private interface Step {
        void run() throws IOException;
    }

    @Override
    public void flush() {}

    @Override
    public void close() throws IOException {
        if (isClosed) {
            return;
        }
        isClosed = true;
        requireSound();
        if (upload == null) {
            if (overwrite) {
                store.put(location, held.toByteArray());
            } else {
                store.putNew(location, held.toByteArray());
            }
            return;
        }
        if (held.size() > 0) {
            send();
        }
        trying(upload::complete);
    }
}

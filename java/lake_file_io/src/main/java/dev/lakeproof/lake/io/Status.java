// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake.io;

import org.apache.paimon.fs.FileStatus;
import org.apache.paimon.fs.Path;

/** What Paimon is told of an object, or of a folder, which has neither length nor age. */
final class Status implements FileStatus {
    private final Path path;
    private final boolean isFolder;
    private final long length;
    private final long modifiedMillis;

    private Status(Path path, boolean isFolder, long length, long modifiedMillis) {
        this.path = path;
        this.isFolder = isFolder;
        this.length = length;
        this.modifiedMillis = modifiedMillis;
    }

    static FileStatus folder(Path path) {
        return new Status(path, true, 0, 0);
    }

    static FileStatus file(Path path, Entry entry) {
        return new Status(path, false, entry.length(), entry.modifiedMillis());
    }

    @Override
    public long getLen() {
        return length;
    }

    @Override
    public boolean isDir() {
        return isFolder;
    }

    @Override
    public Path getPath() {
        return path;
    }

    @Override
    public long getModificationTime() {
        return modifiedMillis;
    }
}

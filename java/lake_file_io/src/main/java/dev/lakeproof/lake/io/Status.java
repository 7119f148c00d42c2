/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance
 * with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0. Unless
 * required by applicable law or agreed to in writing, software distributed under the License is distributed on an
 * "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 */
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

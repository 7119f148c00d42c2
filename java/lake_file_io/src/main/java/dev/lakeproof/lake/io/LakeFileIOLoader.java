// SPDX-License-Identifier: Apache-2.0
package dev.lakeproof.lake.io;

import org.apache.paimon.fs.FileIO;
import org.apache.paimon.fs.FileIOLoader;
import org.apache.paimon.fs.Path;

/** By which Paimon finds {@link LakeFileIO} for every path that begins with s3://. */
public final class LakeFileIOLoader implements FileIOLoader {
    @Override
    public String getScheme() {
        return "s3";
    }

    @Override
    public FileIO load(Path path) {
        return new LakeFileIO();
    }
}

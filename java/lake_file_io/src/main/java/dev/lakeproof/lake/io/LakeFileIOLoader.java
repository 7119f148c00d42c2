/*
 * Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in compliance
 * with the License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0. Unless
 * required by applicable law or agreed to in writing, software distributed under the License is distributed on an
 * "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 */
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

// SPDX-License-Identifier: Apache-2.0

import io.trino.server.Server;

/** Starts Trino from its library jars; the server's own main class is in an archive that is not published. */
public final class TrinoLauncher
{
    private TrinoLauncher() {}

    public static void main(String[] arguments)
    {
        new Server().start("483");
    }
}

"""A small HTTP server that can misbehave: `small_server.py PORT [slow=S] [deaf] [child=FILE] [die=CODE]`.

slow: seconds before it listens. deaf: ignores SIGTERM. child: starts a process in a session of its own and writes its
pid to FILE. die: says why and exits with CODE at once.
"""

import http.server
import signal
import subprocess
import sys
import time
from pathlib import Path


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: object) -> None:
        pass


def main() -> None:
    port, *options = sys.argv[1:]
    given = dict(option.partition("=")[::2] for option in options)
    print("small server starts", flush=True)
    if "die" in given:
        print("no luck today", flush=True)
        sys.exit(int(given["die"]))
    if "deaf" in given:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "child" in given:
        child = subprocess.Popen(["sleep", "300"], start_new_session=True)
        Path(given["child"]).write_text(str(child.pid))
    time.sleep(float(given.get("slow", 0)))
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Quiet).serve_forever()


main()

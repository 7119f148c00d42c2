"""What `main` shows now, for `lakeproof ps`: asked with the standard library's HTTP client.

history.py tells more, and with the settings and the HTTP client that it loads `ps` took twice as long.
"""

import json
from http.client import HTTPConnection, HTTPException

from lakeproof.errors import CouldNotLook
from lakeproof.lake.nessie_commit import commit_of
from lakeproof.lake.publish.commit import DatabaseState, newest_states

# Commits that are not ours (a person's) may lie above the newest published one.
NEWEST = 20
ASK_SECONDS = 5.0


def states_on_main(address: str) -> dict[str, DatabaseState]:
    """The newest published state of each database, by name; empty where `main` shows none yet.

    address: host:port of Nessie. Raises: CouldNotLook where it gives no usable answer within ASK_SECONDS, and where
    none of the NEWEST commits is a published one, and there are older ones.
    """
    connection = HTTPConnection(address, timeout=ASK_SECONDS)
    try:
        connection.request("GET", f"/api/v2/trees/main/history?max-records={NEWEST}")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise CouldNotLook(f"answered {answer.status}", where=f"nessie at {address}", next_action="lakeproof ps")
        page = json.loads(body)
        commits = [commit_of(entry) for entry in page["logEntries"]]
    except (OSError, HTTPException, ValueError, KeyError) as error:
        problem = f"no answer ({type(error).__name__})"
        raise CouldNotLook(problem, where=f"nessie at {address}", next_action="lakeproof ps") from error
    finally:
        connection.close()
    states = newest_states(commits)
    if not states and page.get("hasMore"):
        raise CouldNotLook(
            f"nothing published is among its {NEWEST} newest commits", where="main", next_action="lakeproof lake log"
        )
    return states

"""The errors of a database by what they mean to the caller; the same for every kind of database.

DatabaseTrouble
├── DatabaseDown      before any COMMIT: nothing was done
│   └── DatabaseFull  the server has no session left for a new connection; open connections go on
├── TooBusy           no connection became free: nothing was done
├── Conflict          rolled back: nothing was done, a retry helps
├── DatabaseRefused   nothing was done, a retry does not help at once
│   └── MadeByAnother there is a row that no call of this key made
└── CommitUnclear     the change may or may not have been done
SaidNo                a refusal, with a connection that is in order
└── Duplicate         a unique key exists already
"""


class DatabaseTrouble(Exception):
    """Something is wrong with the database or the way to it."""


class DatabaseDown(DatabaseTrouble):
    """The database did not answer in time, refused, or went away: before any COMMIT was sent."""


class DatabaseFull(DatabaseDown):
    """The database has no session left for another connection. Open connections are in order."""


class TooBusy(DatabaseTrouble):
    """No connection became free in time."""


class Conflict(DatabaseTrouble):
    """A deadlock or a lock held by somebody else; the transaction is rolled back, a retry helps."""


class DatabaseRefused(DatabaseTrouble):
    """The database refused the statement: rights, read-only, a constraint. A retry does not help at once."""


class MadeByAnother(DatabaseRefused):
    """A unique key exists already, and no earlier call of the same idempotency key made that row."""


class CommitUnclear(DatabaseTrouble):
    """The connection was lost, or no answer came, while COMMIT was under way."""


class SaidNo(Exception):
    """Base of refusals by a service's own rules: the transaction ends in ROLLBACK, and the connection is kept."""


class Duplicate(SaidNo):
    """A unique key exists already."""

"""Numbered, forward-only migrations of the embedded database.

The files beside this one are applied in the order of their number, all pending ones in one
transaction; ``PRAGMA user_version`` is the number of the last one applied. Never edit a file
that was released: add the next one.
"""

import sqlite3
import uuid
from importlib.resources import files

from meshaccel.errors import IncompatibleDatabaseError

APPLICATION_ID = 0x6D657368
"""``PRAGMA application_id`` of our files ("mesh"): other programs' files are left alone."""


def available() -> list[tuple[int, str]]:
    """Every migration of this version as (number, SQL), in order."""
    return sorted(
        (int(resource.name.split("_")[0]), resource.read_text(encoding="utf-8"))
        for resource in files(__name__).iterdir()
        if resource.name.endswith(".sql")
    )


def migrate(conn: sqlite3.Connection) -> None:
    """Bring the file to this version's schema; two processes may do so at once.

    Raises:
        IncompatibleDatabaseError: the file is another program's, or newer than this version.
    """
    conn.execute("BEGIN IMMEDIATE")
    try:
        refuse_foreign(conn)
        _apply_pending(conn)
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def _apply_pending(conn: sqlite3.Connection) -> None:
    migrations = available()
    newest = migrations[-1][0]
    (version,) = conn.execute("PRAGMA user_version").fetchone()
    if version > newest:
        raise IncompatibleDatabaseError(
            f"the database has schema version {version}, but this meshaccel knows versions "
            f"up to {newest}: upgrade meshaccel, or use another database file"
        )
    for number, sql in migrations:
        if number > version:
            _execute_script(conn, sql)
    conn.execute(f"PRAGMA user_version = {newest}")
    conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    conn.execute(
        "INSERT OR IGNORE INTO meta (one, epoch, revision) VALUES (1, ?, 0)", (uuid.uuid4().hex,)
    )


def refuse_foreign(conn: sqlite3.Connection) -> None:
    """Only read, to tell whether the file is ours or empty.

    Raises:
        IncompatibleDatabaseError: it is another program's.
    """
    (application_id,) = conn.execute("PRAGMA application_id").fetchone()
    (tables,) = conn.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application_id != APPLICATION_ID and (tables or application_id):
        raise IncompatibleDatabaseError(
            "the database file belongs to another program (another registry, perhaps): "
            "give meshaccel a file of its own"
        )


def _execute_script(conn: sqlite3.Connection, script: str) -> None:
    """Run each statement; ``executescript`` would commit the transaction we are in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            conn.execute(statement)
            statement = ""

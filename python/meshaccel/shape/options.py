"""The choices a shape offers."""

from typing import Literal

#: How a column of JSON documents is given: as the driver does ("text"), as checked bytes ("raw"),
#: decoded when first looked at ("lazy"), decoded once for all records with the same document and
#: read-only ("shared"), or decoded for each record ("eager").
JsonPolicy = Literal["text", "raw", "lazy", "shared", "eager"]

#: What to do with a row whose outermost key is all NULL: raise ``NullKeyError``, ignore the row,
#: or take NULL for a key like any other.
NullKey = Literal["error", "skip", "group"]

#: What to do with a row of a statement per level whose parent was not read: raise ``OrphanError``,
#: or ignore the row.
Orphans = Literal["error", "ignore"]

#: One joined statement, or one statement per level.
Plan = Literal["joined", "levels"]

#: How a driver writes parameters: ``:name`` (sqlite3, aiosqlite), ``$1`` (asyncpg), ``%(name)s``
#: (psycopg).
ParamStyle = Literal["named", "numeric_dollar", "pyformat"]

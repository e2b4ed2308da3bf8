"""Which connections can be read from, and how.

A reading sees one snapshot: its statements run in the transaction that is open on the
connection, or else in a read transaction of their own. (On SQLite a single statement needs none.)
"""

-- The change feed: one row per agent that is there or whose removal is remembered, so that one scan
-- in order of revision tells a reader everything it may have missed.
CREATE TABLE feed (
    agent_id       TEXT    PRIMARY KEY,
    bucket         INTEGER NOT NULL, -- of the id; seldom asked for, so there is no index
    revision       INTEGER NOT NULL,
    facts          TEXT    NOT NULL, -- JSON of what selectors look at; of a removed agent, the last
    facts_revision INTEGER NOT NULL, -- at which they became so
    digest         BLOB,             -- of the document that readers get; NULL: the agent is removed
    removed_at_us  INTEGER           -- Unix microseconds; NULL while it is there
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX feed_revision ON feed (revision);
CREATE INDEX feed_removed ON feed (removed_at_us) WHERE removed_at_us IS NOT NULL;

-- The removals up to `floor` are forgotten; `feed_format` says by which version's rules facts and
-- digests were made.
ALTER TABLE meta ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN feed_format INTEGER NOT NULL DEFAULT 0;

DROP TABLE tombstones;

-- Readers go through the feed: here it would only cost two pages with each change.
DROP INDEX agents_revision;

-- The one row of facts about the whole fleet. `revision` is that of the last committed change.
CREATE TABLE meta (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    epoch    TEXT    NOT NULL,
    revision INTEGER NOT NULL,
    -- When this registry last gave a sign of life (Unix microseconds): silence of the agents
    -- while it was down is not theirs.
    alive_at_us INTEGER
) STRICT;

-- What agents declared. A row changes only together with a new revision.
CREATE TABLE agents (
    id           TEXT    PRIMARY KEY,
    name         TEXT    NOT NULL,
    agent_type   TEXT    NOT NULL,
    runtime      TEXT,
    version      TEXT,
    description  TEXT,
    namespace    TEXT    NOT NULL,
    http_host    TEXT,
    http_port    INTEGER,
    url          TEXT,
    endpoint     TEXT    NOT NULL, -- where others reach it, derived from the three above
    a2a_producer INTEGER NOT NULL,
    a2a_consumer INTEGER NOT NULL,
    surfaces     TEXT    NOT NULL, -- JSON array
    tags         TEXT    NOT NULL, -- JSON array
    labels       TEXT    NOT NULL, -- JSON object
    source       TEXT,
    leased       INTEGER NOT NULL, -- 1: lives by heartbeats; 0: stays until removed
    status       TEXT    NOT NULL CHECK (status IN ('healthy', 'unhealthy')),
    content_hash BLOB    NOT NULL, -- of everything above but the status
    revision     INTEGER NOT NULL,
    created_at_us INTEGER NOT NULL,
    updated_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX agents_revision ON agents (revision);

-- One row per distinct tool definition: replicas of an agent share theirs.
CREATE TABLE capabilities (
    digest     BLOB PRIMARY KEY, -- of the definition, whatever the order of its keys
    name       TEXT NOT NULL,
    definition TEXT NOT NULL     -- JSON object, as declared
) STRICT, WITHOUT ROWID;

CREATE INDEX capabilities_name ON capabilities (name);

CREATE TABLE agent_capabilities (
    agent_id      TEXT    NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    position      INTEGER NOT NULL, -- order of declaration
    digest        BLOB    NOT NULL REFERENCES capabilities (digest),
    function_name TEXT    NOT NULL,
    PRIMARY KEY (agent_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX agent_capabilities_digest ON agent_capabilities (digest);

-- The edges of the capability graph, for the cycle check and for "who depends on this?".
CREATE TABLE dependencies (
    digest     BLOB    NOT NULL REFERENCES capabilities (digest) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    capability TEXT    NOT NULL,
    required   INTEGER NOT NULL,
    PRIMARY KEY (digest, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX dependencies_capability ON dependencies (capability, required);

-- Canonical schemas by the hash that the SDKs compute.
CREATE TABLE schemas (
    hash           TEXT    PRIMARY KEY,
    canonical      TEXT    NOT NULL, -- JSON
    runtime_origin TEXT,
    created_at_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Agents that are gone, until every reader has had time to hear of it.
CREATE TABLE tombstones (
    agent_id      TEXT    PRIMARY KEY,
    revision      INTEGER NOT NULL,
    deleted_at_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Signs of life, outside of content: writing here never makes a revision.
CREATE TABLE leases (
    agent_id      TEXT    PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    last_seen_us  INTEGER NOT NULL,
    wiring_digest BLOB             -- of what the agent was last told; NULL: nothing for certain
) STRICT, WITHOUT ROWID;

-- The audit trail, capped in rows.
CREATE TABLE events (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    event_type    TEXT    NOT NULL,
    agent_id      TEXT    NOT NULL,
    agent_name    TEXT,
    function_name TEXT,
    timestamp_us  INTEGER NOT NULL,
    data          TEXT             -- JSON object
) STRICT;

-- Events of wirings are written a moment after they happened, so the order is that of the times.
CREATE INDEX events_time ON events (timestamp_us);
CREATE INDEX events_type ON events (event_type, timestamp_us);
CREATE INDEX events_function ON events (function_name, timestamp_us);
CREATE INDEX events_agent ON events (agent_id, timestamp_us);

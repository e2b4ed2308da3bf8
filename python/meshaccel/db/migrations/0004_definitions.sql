-- Definitions are large for the leaves of an index, which is what a table WITHOUT ROWID is: each took
-- a page of its own besides the one it is found by, wherever its digest falls. Here they lie one after
-- the other in order of arrival, and what refers to them does so by that order, not by their digests:
-- an agent that joins changes a few pages, instead of one for each of its tools.
ALTER TABLE capabilities RENAME TO former_capabilities;
ALTER TABLE agent_capabilities RENAME TO former_agent_capabilities;
ALTER TABLE dependencies RENAME TO former_dependencies;

-- One row per distinct tool definition: replicas of an agent share theirs.
CREATE TABLE capabilities (
    id         INTEGER PRIMARY KEY,
    digest     BLOB NOT NULL UNIQUE, -- of the definition, whatever the order of its keys
    name       TEXT NOT NULL,
    definition TEXT NOT NULL         -- JSON object, as declared but for the order of keys
) STRICT;

INSERT INTO capabilities (digest, name, definition)
SELECT digest, name, definition FROM former_capabilities ORDER BY name;

CREATE TABLE agent_capabilities (
    agent_id      TEXT    NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    position      INTEGER NOT NULL, -- order of declaration
    capability_id INTEGER NOT NULL REFERENCES capabilities (id),
    function_name TEXT    NOT NULL,
    PRIMARY KEY (agent_id, position)
) STRICT, WITHOUT ROWID;

INSERT INTO agent_capabilities SELECT ac.agent_id, ac.position, c.id, ac.function_name
FROM former_agent_capabilities ac JOIN capabilities c ON c.digest = ac.digest;

-- The edges of the capability graph, for the cycle check: what a definition cannot do without. Those
-- that it can do without, and who depends on what, are in the definitions.
CREATE TABLE requirements (
    capability_id INTEGER NOT NULL REFERENCES capabilities (id) ON DELETE CASCADE,
    required      TEXT    NOT NULL, -- the name of a capability
    PRIMARY KEY (capability_id, required)
) STRICT, WITHOUT ROWID;

INSERT INTO requirements SELECT DISTINCT c.id, d.capability
FROM former_dependencies d JOIN capabilities c ON c.digest = d.digest
WHERE d.required AND d.capability <> '';

DROP TABLE former_dependencies;
DROP TABLE former_agent_capabilities;
DROP TABLE former_capabilities;

CREATE INDEX capabilities_name ON capabilities (name);
CREATE INDEX agent_capabilities_capability ON agent_capabilities (capability_id);

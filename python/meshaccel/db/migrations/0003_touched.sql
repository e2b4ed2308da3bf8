-- What changes touched, so that the other registries on this file forget exactly what they derived
-- from it. A row is written in the transaction of its change; the oldest go, in batches.
CREATE TABLE touched (
    seq      INTEGER PRIMARY KEY, -- without gaps: the writer is alone, and only the oldest go
    writer   INTEGER NOT NULL,    -- the registry that made the change, and knows of it
    agent_id TEXT NOT NULL,
    tags     TEXT NOT NULL        -- JSON array
) STRICT;

-- Which registry knows what the agent was last told: no other one's word on it is written.
ALTER TABLE leases ADD COLUMN teller INTEGER;

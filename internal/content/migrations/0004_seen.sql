-- +goose Up
-- Commits that a person has reviewed, one row each.
CREATE TABLE seen (
    wiki TEXT NOT NULL,
    did  TEXT NOT NULL,
    seq  INTEGER NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (wiki, did, seq)
) WITHOUT ROWID;

-- Finds an agent's commits, and the distinct names of agents.
CREATE INDEX commits_agent ON commits (wiki, agent, seq) WHERE agent <> '';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('seen', 'seen', '1000 1000 500 1'),
    ('commits', 'commits_agent', '20000 20000 2000 1');

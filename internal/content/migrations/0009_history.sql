-- +goose Up
-- Reading a page's history needs only this index, not the table.
DROP INDEX changes_key;
CREATE INDEX changes_key ON changes (wiki, key, seq, kind, path, from_path, old, new, size, mode);

-- Commits are found by seq. A database has one wiki, so seq can be the rowid, which
-- saves an index lookup.
CREATE TABLE commits_by_seq (
    wiki      TEXT NOT NULL,
    seq       INTEGER PRIMARY KEY,
    oid       TEXT NOT NULL,
    parents   TEXT NOT NULL,
    raw       BLOB NOT NULL,
    username  TEXT NOT NULL,
    did       TEXT NOT NULL,
    agent     TEXT NOT NULL,
    client    TEXT NOT NULL,
    grant_id  TEXT NOT NULL,
    imported  BOOLEAN NOT NULL,
    time      INTEGER NOT NULL,
    message   TEXT NOT NULL
);
INSERT INTO commits_by_seq SELECT * FROM commits ORDER BY seq;
DROP TABLE commits;
ALTER TABLE commits_by_seq RENAME TO commits;
CREATE UNIQUE INDEX commits_oid ON commits (wiki, oid);
CREATE INDEX commits_author ON commits (wiki, username, seq);
CREATE INDEX commits_agent ON commits (wiki, agent, seq) WHERE agent <> '';
CREATE INDEX commits_grant ON commits (wiki, grant_id, imported) WHERE grant_id <> '';

DELETE FROM sqlite_stat1 WHERE tbl = 'commits' OR idx = 'changes_key';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('changes', 'changes_key', '50000 50000 100 1 1 1 1 1 1 1 1'),
    ('commits', NULL, '50000'),
    ('commits', 'commits_oid', '50000 50000 1'),
    ('commits', 'commits_author', '50000 50000 5000 1'),
    ('commits', 'commits_agent', '20000 20000 2000 1'),
    ('commits', 'commits_grant', '20000 20000 1000 1000');

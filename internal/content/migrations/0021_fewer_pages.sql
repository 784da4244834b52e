-- +goose Up
-- A save writes few pages of the database: adr/0031.

-- A page's changes are together. Each commit lists the keys of its changes, which the
-- view commit_changes follows.
ALTER TABLE commits ADD COLUMN keys TEXT NOT NULL DEFAULT '[]'; -- JSON: of the files, by changes.n
UPDATE commits SET keys = (SELECT json_group_array(h.key ORDER BY h.n) FROM changes h WHERE h.wiki = commits.wiki AND h.seq = commits.seq);
CREATE TABLE changes_by_key (
    wiki      TEXT NOT NULL,
    key       TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    n         INTEGER NOT NULL,         -- place in its commit
    kind      TEXT NOT NULL,
    path      TEXT NOT NULL,
    from_path TEXT NOT NULL,            -- of a move
    from_key  TEXT NOT NULL,
    old       TEXT NOT NULL,
    new       TEXT NOT NULL,
    size      INTEGER NOT NULL,
    mode      INTEGER NOT NULL,
    PRIMARY KEY (wiki, key, seq, n)
) WITHOUT ROWID;
INSERT INTO changes_by_key SELECT wiki, key, seq, n, kind, path, from_path, from_key, old, new, size, mode FROM changes ORDER BY wiki, key, seq, n;
DROP TABLE changes;
ALTER TABLE changes_by_key RENAME TO changes;
CREATE INDEX changes_turns ON changes (wiki, key, seq) WHERE kind <> 'modified';
CREATE INDEX changes_from ON changes (wiki, from_key, seq) WHERE from_key <> '';
CREATE VIEW commit_changes AS
    SELECT c.wiki, c.seq, json_each.key AS n, h.kind, h.path, h.key, h.from_path, h.from_key, h.old, h.new, h.size, h.mode
    FROM commits c CROSS JOIN json_each(c.keys) CROSS JOIN changes h
    WHERE h.wiki = c.wiki AND h.key = json_each.value AND h.seq = c.seq AND h.n = json_each.key;

-- Commits are found by id and author through summaries of 64 commits each, those with
-- (seq - 1) / 64 = span, which are written with the last of them.
CREATE TABLE spans (
    wiki TEXT NOT NULL,
    span INTEGER PRIMARY KEY,
    ids  TEXT NOT NULL                  -- 8 digits of the id of each commit
);
CREATE TABLE span_authors (             -- imported commits aren't counted
    wiki    TEXT NOT NULL,
    kind    TEXT NOT NULL,              -- username, agent, grant, or person for the DID of one without a grant
    name    TEXT NOT NULL,
    span    INTEGER NOT NULL,
    commits INTEGER NOT NULL,           -- number of them in the span
    PRIMARY KEY (wiki, kind, name, span)
) WITHOUT ROWID;
INSERT INTO spans
    SELECT wiki, (seq - 1) / 64, group_concat(substr(oid, 1, 8), '' ORDER BY seq) FROM commits
    WHERE (seq - 1) / 64 < (SELECT MAX(seq) FROM commits) / 64 GROUP BY 1, 2;
INSERT INTO span_authors
    SELECT wiki, 'username', username, (seq - 1) / 64, count(*) FROM commits
    WHERE imported = FALSE AND (seq - 1) / 64 < (SELECT MAX(seq) FROM commits) / 64 GROUP BY 1, 3, 4;
INSERT INTO span_authors
    SELECT wiki, 'agent', agent, (seq - 1) / 64, count(*) FROM commits
    WHERE imported = FALSE AND agent <> '' AND (seq - 1) / 64 < (SELECT MAX(seq) FROM commits) / 64 GROUP BY 1, 3, 4;
INSERT INTO span_authors
    SELECT wiki, 'grant', grant_id, (seq - 1) / 64, count(*) FROM commits
    WHERE imported = FALSE AND grant_id <> '' AND (seq - 1) / 64 < (SELECT MAX(seq) FROM commits) / 64 GROUP BY 1, 3, 4;
INSERT INTO span_authors
    SELECT wiki, 'person', did, (seq - 1) / 64, count(*) FROM commits
    WHERE imported = FALSE AND grant_id = '' AND did <> '' AND (seq - 1) / 64 < (SELECT MAX(seq) FROM commits) / 64 GROUP BY 1, 3, 4;
CREATE TABLE span_sessions (            -- the part of a session in a span
    wiki       TEXT NOT NULL,
    session    INTEGER NOT NULL,
    span       INTEGER NOT NULL,
    commits    INTEGER NOT NULL,        -- number of them
    last       INTEGER NOT NULL,        -- seq of the last one
    first_time INTEGER NOT NULL,
    last_time  INTEGER NOT NULL,
    PRIMARY KEY (wiki, session, span)
) WITHOUT ROWID;
INSERT INTO span_sessions
    SELECT wiki, session, (seq - 1) / 64, count(*), MAX(seq), MIN(time), MAX(time) FROM commits
    WHERE (seq - 1) / 64 < (SELECT MAX(seq) FROM commits) / 64 GROUP BY 1, 2, 3;
DROP INDEX commits_session;
DROP INDEX commits_person;
DROP INDEX commits_oid;
DROP INDEX commits_author;
DROP INDEX commits_agent;
DROP INDEX commits_grant;

-- The newest commit is the head, and has the totals. The view meta joins them to the
-- rest of the wiki's state.
ALTER TABLE commits ADD COLUMN pages INTEGER NOT NULL DEFAULT 0;
ALTER TABLE commits ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
ALTER TABLE commits ADD COLUMN current_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE commits ADD COLUMN history_bytes INTEGER NOT NULL DEFAULT 0;
-- A small new blob of the commit, '' if its row has none. The data is last, because it is long.
ALTER TABLE commits ADD COLUMN blob TEXT NOT NULL DEFAULT '';
ALTER TABLE commits ADD COLUMN blob_size INTEGER NOT NULL DEFAULT 0; -- before compression
ALTER TABLE commits ADD COLUMN data BLOB;
UPDATE commits SET (pages, files, current_bytes, history_bytes) =
    (SELECT m.pages, m.files, m.current_bytes, m.history_bytes FROM meta m WHERE m.wiki = commits.wiki)
    WHERE seq = (SELECT m.seq FROM meta m WHERE m.wiki = commits.wiki);
CREATE TABLE state (
    wiki         TEXT PRIMARY KEY,
    time         INTEGER NOT NULL,      -- later commits aren't older
    saved_bytes  INTEGER NOT NULL DEFAULT 0, -- by compression, which commits' history_bytes don't know of
    compressed   INTEGER NOT NULL DEFAULT 0, -- the last commit whose changes were looked at to compress what they replaced,
    compressed_n INTEGER NOT NULL DEFAULT -1, -- and the place of the change in it
    links        INTEGER NOT NULL DEFAULT 0, -- version of the rows of outlinks, backlinks and aliases
    vouches      INTEGER NOT NULL DEFAULT 0, -- how often somebody vouched or took that back
    moved        TEXT NOT NULL DEFAULT '', -- the commit of another service's repository that the history was moved from,
    moved_seq    INTEGER NOT NULL DEFAULT 0 -- and the number of the last commit that this made here; '' and 0 if it wasn't moved
);
INSERT INTO state SELECT wiki, time, 0, compressed, compressed_n, links, vouches, moved, moved_seq FROM meta;
DROP TABLE meta;
CREATE VIEW meta AS
    SELECT s.wiki, COALESCE(c.seq, 0) AS seq, COALESCE(c.oid, '') AS head,
        MAX(s.time, COALESCE(CASE WHEN c.imported THEN 0 ELSE c.time END, 0)) AS time,
        COALESCE(c.pages, 0) AS pages, COALESCE(c.files, 0) AS files, COALESCE(c.current_bytes, 0) AS current_bytes,
        COALESCE(c.history_bytes, 0) - s.saved_bytes AS history_bytes,
        s.compressed, s.compressed_n, s.links, s.vouches, s.moved, s.moved_seq
    FROM state s LEFT JOIN commits c ON c.seq = (SELECT l.seq FROM commits l WHERE l.wiki = s.wiki ORDER BY l.seq DESC LIMIT 1);

-- Blobs with their data in a commit's row, those of spans. The view blobs has all blobs.
CREATE TABLE commit_blobs (
    wiki TEXT NOT NULL,
    oid  TEXT NOT NULL,
    seq  INTEGER NOT NULL,              -- of the commit that has the data
    PRIMARY KEY (wiki, oid)
) WITHOUT ROWID;
ALTER TABLE blobs RENAME TO other_blobs;
CREATE VIEW blobs AS
    SELECT wiki, oid, size, data FROM other_blobs
    UNION ALL SELECT b.wiki, b.oid, c.blob_size, c.data FROM commit_blobs b CROSS JOIN commits c WHERE c.seq = b.seq
    UNION ALL SELECT wiki, blob, blob_size, data FROM commits WHERE seq > (SELECT COALESCE(MAX(span) + 1, 0) * 64 FROM spans) AND blob <> '';

DELETE FROM sqlite_stat1 WHERE tbl IN ('changes', 'commits', 'blobs');
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('changes', 'changes', '50000 50000 100 1 1'),
    ('changes', 'changes_turns', '1000 1000 2 1'),
    ('changes', 'changes_from', '500 500 1 1'),
    ('commits', NULL, '50000'),
    ('commit_blobs', 'commit_blobs', '50000 50000 1'),
    ('other_blobs', 'sqlite_autoindex_other_blobs_1', '50000 50000 1'),
    ('spans', NULL, '800'),
    ('span_authors', 'span_authors', '2000 2000 1000 100 1'),
    ('span_sessions', 'span_sessions', '2000 2000 2 1');

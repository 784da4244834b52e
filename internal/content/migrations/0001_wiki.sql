-- +goose Up
-- Every table is keyed by the wiki's slug first, so that one database can hold
-- many wikis. Times are unix milliseconds; ids are git's, in hex.

CREATE TABLE meta (
    wiki          TEXT PRIMARY KEY,
    seq           INTEGER NOT NULL,     -- of the head commit, 0 if there is none
    head          TEXT NOT NULL,        -- its id
    time          INTEGER NOT NULL,     -- its time
    pages         INTEGER NOT NULL,
    files         INTEGER NOT NULL,
    current_bytes INTEGER NOT NULL,
    history_bytes INTEGER NOT NULL
);

CREATE TABLE files (                    -- the tree of the head
    wiki TEXT NOT NULL,
    path TEXT NOT NULL,
    dir  TEXT NOT NULL,                 -- "" or "Design/Drafts"
    key  TEXT NOT NULL,
    blob TEXT NOT NULL,
    mode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    seq  INTEGER NOT NULL,              -- of the commit that last changed it
    PRIMARY KEY (wiki, path)
) WITHOUT ROWID;
CREATE UNIQUE INDEX files_key ON files (wiki, key);
CREATE INDEX files_dir ON files (wiki, dir);

CREATE TABLE trees (                    -- ids of the head's folders
    wiki   TEXT NOT NULL,
    dir    TEXT NOT NULL,
    parent TEXT NOT NULL,               -- of dir; "-" for the root, which has none
    oid    TEXT NOT NULL,
    PRIMARY KEY (wiki, dir)
) WITHOUT ROWID;
CREATE INDEX trees_parent ON trees (wiki, parent);

CREATE TABLE blobs (
    wiki TEXT NOT NULL,
    oid  TEXT NOT NULL,
    size INTEGER NOT NULL,              -- before compression
    data BLOB NOT NULL,                 -- zlib (RFC 1950)
    PRIMARY KEY (wiki, oid)
);

CREATE TABLE commits (
    wiki      TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    oid       TEXT NOT NULL,
    parents   TEXT NOT NULL,            -- ids separated by spaces
    raw       BLOB NOT NULL,            -- the commit object
    username  TEXT NOT NULL,
    did       TEXT NOT NULL,
    agent     TEXT NOT NULL,
    client    TEXT NOT NULL,
    grant_id  TEXT NOT NULL,
    imported  BOOLEAN NOT NULL,
    time      INTEGER NOT NULL,
    message   TEXT NOT NULL,            -- without trailers
    PRIMARY KEY (wiki, seq)
);
CREATE UNIQUE INDEX commits_oid ON commits (wiki, oid);
CREATE INDEX commits_author ON commits (wiki, username, seq);

CREATE TABLE changes (
    wiki      TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    n         INTEGER NOT NULL,         -- place in its commit
    path      TEXT NOT NULL,
    key       TEXT NOT NULL,
    from_path TEXT NOT NULL,            -- of a move
    from_key  TEXT NOT NULL,
    kind      TEXT NOT NULL,
    old       TEXT NOT NULL,
    new       TEXT NOT NULL,
    mode      INTEGER NOT NULL,
    size      INTEGER NOT NULL,
    PRIMARY KEY (wiki, seq, n)
) WITHOUT ROWID;
CREATE INDEX changes_key ON changes (wiki, key, seq);
-- Creations, moves and deletions, a small part of a page's changes.
CREATE INDEX changes_turns ON changes (wiki, key, seq) WHERE kind <> 'modified';
CREATE INDEX changes_from ON changes (wiki, from_key, seq) WHERE from_key <> '';

CREATE TABLE links (
    wiki       TEXT NOT NULL,
    from_path  TEXT NOT NULL,           -- file of the page
    n          INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    target     TEXT NOT NULL,
    target_key TEXT NOT NULL,           -- of the target file; for a tag, the tag
    words      TEXT NOT NULL,
    PRIMARY KEY (wiki, from_path, n)
) WITHOUT ROWID;
CREATE INDEX links_target ON links (wiki, target_key);

CREATE TABLE drafts (
    wiki    TEXT NOT NULL,
    did     TEXT NOT NULL,
    key     TEXT NOT NULL,
    path    TEXT NOT NULL,
    text    BLOB NOT NULL,
    message TEXT NOT NULL,
    base    TEXT NOT NULL,
    time    INTEGER NOT NULL,
    PRIMARY KEY (wiki, did, key)
);

CREATE TABLE requests (                 -- results of requests that may be retried
    wiki   TEXT NOT NULL,
    caller TEXT NOT NULL,
    key    TEXT NOT NULL,
    hash   TEXT NOT NULL,
    result BLOB NOT NULL,               -- JSON
    time   INTEGER NOT NULL,
    PRIMARY KEY (wiki, caller, key)
);
CREATE INDEX requests_time ON requests (wiki, time);

-- Without statistics, SQLite would take "wiki = …" for a selective condition and
-- scan all of a wiki's rows. These rows describe a large wiki
-- (https://sqlite.org/fileformat2.html#stat1tab) and are never updated.
ANALYZE;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('files', 'files', '500 500 1'),
    ('files', 'files_key', '500 500 1'),
    ('files', 'files_dir', '500 500 20'),
    ('commits', 'sqlite_autoindex_commits_1', '50000 50000 1'),
    ('commits', 'commits_oid', '50000 50000 1'),
    ('commits', 'commits_author', '50000 50000 5000 1'),
    ('changes', 'changes', '50000 50000 2 1'),
    ('changes', 'changes_key', '50000 50000 100 1'),
    ('changes', 'changes_turns', '1000 1000 2 1'),
    ('changes', 'changes_from', '500 500 1 1'),
    ('links', 'links', '5000 5000 10 1'),
    ('links', 'links_target', '5000 5000 10'),
    ('trees', 'trees', '50 50 1'),
    ('trees', 'trees_parent', '50 50 5'),
    ('blobs', 'sqlite_autoindex_blobs_1', '50000 50000 1');

-- +goose Up
-- Pages as agents that may only propose want them to be. Their text is only here, so
-- nothing that reads the wiki's files, blobs or commits can find it.
CREATE TABLE proposed (
    wiki     TEXT NOT NULL,
    grant_id TEXT NOT NULL,              -- of the agent
    key      TEXT NOT NULL,
    path     TEXT NOT NULL,
    base     TEXT NOT NULL,              -- blob of the page that it changes, '' for a new page
    blob     TEXT NOT NULL,              -- id of data
    data     BLOB NOT NULL,
    message  TEXT NOT NULL,
    did      TEXT NOT NULL,
    username TEXT NOT NULL,
    agent    TEXT NOT NULL,
    client   TEXT NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    PRIMARY KEY (wiki, grant_id, key)
);

-- What became of proposals, for the agents that made them.
CREATE TABLE decided (
    wiki     TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    time     INTEGER NOT NULL,
    key      TEXT NOT NULL,
    path     TEXT NOT NULL,
    outcome  TEXT NOT NULL,              -- accepted, declined, expired
    reason   TEXT NOT NULL,
    did      TEXT NOT NULL,              -- of the person who decided
    username TEXT NOT NULL,
    PRIMARY KEY (wiki, grant_id, time, key)
) WITHOUT ROWID;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('proposed', 'sqlite_autoindex_proposed_1', '100 100 20 1'),
    ('decided', 'decided', '100 100 20 5 1');

-- +goose Up
CREATE TABLE watched (                 -- pages that members watch
    slug    TEXT NOT NULL REFERENCES sites (slug) ON DELETE CASCADE,
    did     TEXT NOT NULL REFERENCES users (did) ON DELETE CASCADE,
    page    TEXT NOT NULL,             -- its name when it was first watched
    seq     INTEGER NOT NULL,          -- the wiki's newest commit then
    created INTEGER NOT NULL,
    PRIMARY KEY (slug, did, page)
) WITHOUT ROWID;
CREATE INDEX watched_did ON watched (did);

CREATE TABLE own_feeds (               -- what people choose to be notified of, and where
    did     TEXT PRIMARY KEY REFERENCES users (did) ON DELETE CASCADE,
    id      TEXT NOT NULL UNIQUE,      -- the secret of the address is made from it with a key outside of the database
    without TEXT NOT NULL,             -- kinds of events that it leaves out, with commas
    at_once BOOLEAN NOT NULL,          -- an entry for each event instead of one for each day
    created INTEGER NOT NULL,
    used    INTEGER NOT NULL DEFAULT 0 -- to the hour
);

CREATE TABLE near_limits (             -- limits that a wiki is close to
    slug  TEXT NOT NULL REFERENCES sites (slug) ON DELETE CASCADE,
    name  TEXT NOT NULL,               -- pages, files, bytes or history
    since INTEGER NOT NULL,
    PRIMARY KEY (slug, name)
) WITHOUT ROWID;

-- +goose Up
-- Times are unix milliseconds.

CREATE TABLE users (
    did      TEXT PRIMARY KEY,
    username TEXT UNIQUE,               -- NULL until the person has chosen one
    handle   TEXT NOT NULL,
    name     TEXT NOT NULL DEFAULT '',
    created  INTEGER NOT NULL
);

CREATE TABLE sites (
    slug        TEXT PRIMARY KEY,
    owner       TEXT NOT NULL REFERENCES users (did),
    title       TEXT NOT NULL DEFAULT '',
    description TEXT NOT NULL DEFAULT '',
    public      BOOLEAN NOT NULL DEFAULT FALSE,
    home        TEXT NOT NULL DEFAULT '',
    limits      TEXT NOT NULL DEFAULT '{}', -- JSON: overrides of the defaults
    version     INTEGER NOT NULL DEFAULT 1,
    created     INTEGER NOT NULL
);
CREATE INDEX sites_owner ON sites (owner);

CREATE TABLE members (
    slug  TEXT NOT NULL REFERENCES sites (slug) ON DELETE CASCADE,
    did   TEXT NOT NULL REFERENCES users (did),
    role  TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (slug, did)
);
CREATE INDEX members_did ON members (did);

CREATE TABLE sessions (
    sid     TEXT PRIMARY KEY,
    did     TEXT NOT NULL REFERENCES users (did) ON DELETE CASCADE,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE tokens (
    id        TEXT PRIMARY KEY,
    hash      BLOB NOT NULL UNIQUE,     -- SHA-256 of the secret, which isn't stored
    slug      TEXT NOT NULL REFERENCES sites (slug) ON DELETE CASCADE,
    did       TEXT NOT NULL REFERENCES users (did) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    read_only BOOLEAN NOT NULL,
    created   INTEGER NOT NULL,
    used      INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX tokens_member ON tokens (slug, did);

CREATE TABLE codes (
    hash    BLOB PRIMARY KEY,           -- SHA-256 of the one-time code
    sid     TEXT NOT NULL REFERENCES sessions (sid) ON DELETE CASCADE,
    slug    TEXT NOT NULL,              -- of the wiki host that can use it; the wiki can be missing
    nonce   TEXT NOT NULL,              -- SHA-256 of the browser's nonce
    back    TEXT NOT NULL,
    expires INTEGER NOT NULL
);
CREATE INDEX codes_expires ON codes (expires);

CREATE TABLE audit (
    id     INTEGER PRIMARY KEY,
    time   INTEGER NOT NULL,
    actor  TEXT NOT NULL,               -- DID, or "operator"
    slug   TEXT NOT NULL DEFAULT '',
    action TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT ''
);
CREATE INDEX audit_slug ON audit (slug, time);

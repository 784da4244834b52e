-- +goose Up
CREATE TABLE oauth_clients (
    id        TEXT PRIMARY KEY,         -- of a registration, or the URL of the client's document
    document  BOOLEAN NOT NULL,         -- described by the document at the id, a URL
    name      TEXT NOT NULL,
    redirects TEXT NOT NULL,            -- JSON array
    auth      TEXT NOT NULL,            -- token_endpoint_auth_method
    secret    BLOB,                     -- SHA-256; NULL for public clients
    created   INTEGER NOT NULL,
    used      INTEGER NOT NULL,         -- last grant or refresh, coarse; equal to created before the first
    fresh     INTEGER NOT NULL DEFAULT 0 -- when the document has to be fetched again
);
CREATE INDEX oauth_clients_used ON oauth_clients (used);

CREATE TABLE oauth_requests (
    hash    BLOB PRIMARY KEY,           -- SHA-256 of the request's secret
    data    TEXT NOT NULL,              -- JSON
    expires INTEGER NOT NULL
);
CREATE INDEX oauth_requests_expires ON oauth_requests (expires);

CREATE TABLE oauth_grants (
    id        TEXT PRIMARY KEY,
    slug      TEXT NOT NULL REFERENCES sites (slug) ON DELETE CASCADE,
    did       TEXT NOT NULL REFERENCES users (did) ON DELETE CASCADE,
    client    TEXT NOT NULL,            -- client id
    name      TEXT NOT NULL,            -- of the client, as shown when the person agreed
    host      TEXT NOT NULL,            -- of the redirect address
    read_only BOOLEAN NOT NULL,
    created   INTEGER NOT NULL,
    expires   INTEGER NOT NULL,         -- refreshing doesn't extend it
    first     INTEGER NOT NULL DEFAULT 0, -- first use; 0 if unused
    used      INTEGER NOT NULL DEFAULT 0  -- last use, coarse
);
CREATE INDEX oauth_grants_member ON oauth_grants (slug, did);
CREATE INDEX oauth_grants_did ON oauth_grants (did);
CREATE INDEX oauth_grants_client ON oauth_grants (client);

CREATE TABLE oauth_codes (
    hash     BLOB PRIMARY KEY,          -- SHA-256 of the code
    data     TEXT NOT NULL,             -- JSON: what was agreed to
    grant_id TEXT NOT NULL DEFAULT '',  -- the grant it was exchanged for; a second try revokes it
    expires  INTEGER NOT NULL
);
CREATE INDEX oauth_codes_expires ON oauth_codes (expires);

CREATE TABLE oauth_refresh (
    hash     BLOB PRIMARY KEY,          -- SHA-256 of the token
    grant_id TEXT NOT NULL REFERENCES oauth_grants (id) ON DELETE CASCADE,
    issued   INTEGER NOT NULL,
    rotated  INTEGER NOT NULL DEFAULT 0, -- when it was first exchanged; 0 before
    expires  INTEGER NOT NULL
);
CREATE INDEX oauth_refresh_grant ON oauth_refresh (grant_id, issued);
CREATE INDEX oauth_refresh_expires ON oauth_refresh (expires);

-- +goose Up
-- Addresses that are notified of a wiki's changes. Their secrets are made with a key.
CREATE TABLE webhooks (
    id        TEXT PRIMARY KEY,
    slug      TEXT NOT NULL REFERENCES sites (slug) ON DELETE CASCADE,
    did       TEXT NOT NULL REFERENCES users (did) ON DELETE CASCADE, -- the owner who added it
    url       TEXT NOT NULL,
    form      TEXT NOT NULL,             -- of the message: standard, discord or slack
    created   INTEGER NOT NULL,
    seq       INTEGER NOT NULL,          -- number of the last commit that it was notified of
    delivered INTEGER NOT NULL DEFAULT 0, -- time of the last delivery
    failures  INTEGER NOT NULL DEFAULT 0, -- in a row
    failing   INTEGER NOT NULL DEFAULT 0, -- time of the first of them
    retry     INTEGER NOT NULL DEFAULT 0, -- no delivery before this time
    problem   TEXT NOT NULL DEFAULT '',  -- why the last delivery failed
    stopped   INTEGER NOT NULL DEFAULT 0 -- time when it was given up, or 0
);
CREATE INDEX webhooks_slug ON webhooks (slug);
CREATE INDEX webhooks_did ON webhooks (did);

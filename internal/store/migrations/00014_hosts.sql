-- +goose Up
ALTER TABLE users ADD COLUMN host TEXT NOT NULL DEFAULT '';           -- of the server that hosts the account (PDS), at the last sign-in
ALTER TABLE users ADD COLUMN suspended_host TEXT NOT NULL DEFAULT ''; -- the suspended host that the account's suspension is part of, or ''
CREATE INDEX users_host ON users (host);

CREATE TABLE suspended_hosts (          -- account hosts that nobody can sign in from, with their subdomains
    host  TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    why   TEXT NOT NULL
);

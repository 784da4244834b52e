-- +goose Up
-- ATProto accounts with which people sign in to their local identities, where a service
-- has those.
CREATE TABLE linked_accounts (
    did     TEXT PRIMARY KEY,            -- of the account
    person  TEXT NOT NULL UNIQUE REFERENCES users (did) ON DELETE CASCADE, -- the local identity
    handle  TEXT NOT NULL,               -- at the last sign-in
    created INTEGER NOT NULL
);

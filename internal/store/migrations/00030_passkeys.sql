-- +goose Up
CREATE TABLE passkeys (
    id         TEXT PRIMARY KEY,         -- the authenticator's id of it, in base64url
    did        TEXT NOT NULL REFERENCES users (did) ON DELETE CASCADE,
    host       TEXT NOT NULL,            -- the only host where it works (WebAuthn: relying party id)
    name       TEXT NOT NULL,            -- the browser that added it
    credential TEXT NOT NULL,            -- JSON: its public key and counter
    created    INTEGER NOT NULL,
    used       INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX passkeys_did ON passkeys (did);
CREATE INDEX passkeys_host ON passkeys (host);

-- +goose Up
ALTER TABLE users ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;           -- last sign-in; 0 for a person who never signed in
ALTER TABLE users ADD COLUMN ending INTEGER NOT NULL DEFAULT 0;         -- when the account will be purged; 0 if no deletion is pending
ALTER TABLE sites ADD COLUMN ending INTEGER NOT NULL DEFAULT 0;         -- when the wiki will be purged; 0 if no deletion is pending
ALTER TABLE sites ADD COLUMN as_handle BOOLEAN NOT NULL DEFAULT FALSE;  -- its host answers as its owner's handle
CREATE INDEX users_ending ON users (ending) WHERE ending > 0;
CREATE INDEX sites_ending ON sites (ending) WHERE ending > 0;
CREATE INDEX sessions_did ON sessions (did);

CREATE TABLE former (                   -- deleted names, reserved for their former holders
    slug   TEXT PRIMARY KEY,
    holder BLOB NOT NULL,               -- keyed hash of the DID
    since  INTEGER NOT NULL
);

CREATE TABLE personal_tokens (
    id        TEXT PRIMARY KEY,
    hash      BLOB NOT NULL UNIQUE,     -- SHA-256 of the secret, which isn't stored
    did       TEXT NOT NULL REFERENCES users (did) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    read_only BOOLEAN NOT NULL,
    created   INTEGER NOT NULL,
    used      INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX personal_tokens_did ON personal_tokens (did);

-- +goose Up
ALTER TABLE users ADD COLUMN admitted INTEGER NOT NULL DEFAULT 0;  -- when an invitation let them create a wiki; 0 if none did

CREATE TABLE invitations (              -- links that let one person sign up
    id      TEXT PRIMARY KEY,
    hash    BLOB NOT NULL UNIQUE,       -- SHA-256 of the code, which isn't stored
    inviter TEXT REFERENCES users (did) ON DELETE CASCADE,  -- NULL for the operator
    guest   TEXT REFERENCES users (did) ON DELETE SET NULL, -- the person who used it
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0, -- when it was revoked, or its inviter suspended; 0 if it wasn't
    used    INTEGER NOT NULL DEFAULT 0  -- 0 if it wasn't
);
CREATE INDEX invitations_inviter ON invitations (inviter, created);
CREATE INDEX invitations_guest ON invitations (guest);
CREATE INDEX invitations_expires ON invitations (expires);

-- +goose Up
ALTER TABLE users ADD COLUMN picture TEXT NOT NULL DEFAULT '';  -- id of the avatar, or ''

CREATE TABLE faces (                    -- people's avatars, small and re-encoded
    did    TEXT PRIMARY KEY REFERENCES users (did) ON DELETE CASCADE,
    id     TEXT NOT NULL,               -- hash of data
    source TEXT NOT NULL,               -- id (CID) of the original on the person's server
    mime   TEXT NOT NULL,
    data   BLOB NOT NULL,
    since  INTEGER NOT NULL
);
CREATE INDEX faces_id ON faces (id);
CREATE INDEX faces_since ON faces (since);

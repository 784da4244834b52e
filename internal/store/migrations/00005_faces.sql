-- +goose Up
ALTER TABLE users ADD COLUMN picture TEXT NOT NULL DEFAULT '';  -- id of the face, or ''

CREATE TABLE faces (                    -- people's pictures, small and re-encoded
    did    TEXT PRIMARY KEY REFERENCES users (did) ON DELETE CASCADE,
    id     TEXT NOT NULL,               -- made of the bytes: it changes with them
    source TEXT NOT NULL,               -- what the person's server calls the original (a CID)
    mime   TEXT NOT NULL,
    data   BLOB NOT NULL,
    since  INTEGER NOT NULL
);
CREATE INDEX faces_id ON faces (id);
CREATE INDEX faces_since ON faces (since);

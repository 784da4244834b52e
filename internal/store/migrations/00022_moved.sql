-- +goose Up
CREATE TABLE moved (                    -- wikis that the operator moved here from another service
    slug    TEXT PRIMARY KEY REFERENCES sites (slug) ON DELETE CASCADE,
    digest  TEXT NOT NULL,              -- of what was moved besides the history, as the other service had it
    changes TEXT NOT NULL,              -- JSON: sentences for the owner
    time    INTEGER NOT NULL
);

-- A token that was moved can have a bcrypt hash of its secret. Until its first use
-- here, hash is then a random value.
ALTER TABLE tokens ADD COLUMN bcrypt TEXT;
CREATE INDEX tokens_bcrypt ON tokens (slug) WHERE bcrypt IS NOT NULL;

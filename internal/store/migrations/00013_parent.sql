-- +goose Up
ALTER TABLE tokens ADD COLUMN parent TEXT REFERENCES personal_tokens (id) ON DELETE CASCADE;  -- the personal token that made it, if any
CREATE INDEX tokens_parent ON tokens (parent);

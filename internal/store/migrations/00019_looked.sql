-- +goose Up
-- The newest commit of the wiki (seq) that the holder of a grant or token was told
-- about; 0 before the first time.
ALTER TABLE oauth_grants ADD COLUMN looked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN looked INTEGER NOT NULL DEFAULT 0;

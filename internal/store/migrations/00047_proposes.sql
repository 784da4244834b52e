-- +goose Up
-- Credentials that are read-only but may propose changes.
ALTER TABLE oauth_grants ADD COLUMN proposes BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE tokens ADD COLUMN proposes BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Up
-- Sessions on a borrowed device, which use doesn't extend.
ALTER TABLE sessions ADD COLUMN brief BOOLEAN NOT NULL DEFAULT FALSE;

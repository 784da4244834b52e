-- +goose Up
ALTER TABLE sessions ADD COLUMN browser TEXT NOT NULL DEFAULT '';  -- "Firefox on Linux", for the person's list of sessions

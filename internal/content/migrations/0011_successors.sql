-- +goose Up
-- The id that took the place of one that an erasure rewrote; '' after an import.
ALTER TABLE replaced ADD COLUMN successor TEXT NOT NULL DEFAULT '';

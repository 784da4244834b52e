-- +goose Up
ALTER TABLE sites ADD COLUMN agents TEXT NOT NULL DEFAULT '';  -- the most that agents may do: read, propose, or '' for edit

-- +goose Up
ALTER TABLE sites ADD COLUMN publication TEXT NOT NULL DEFAULT '';  -- AT-URI of its owner's record site.standard.publication, or ''

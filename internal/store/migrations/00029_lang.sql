-- +goose Up
ALTER TABLE sites ADD COLUMN lang TEXT NOT NULL DEFAULT '';  -- language of its pages (BCP 47), or ''

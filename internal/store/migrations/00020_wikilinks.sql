-- +goose Up
-- The side of the bar in [[a|b]] that names the page: '' (whichever leads somewhere),
-- 'target-first' or 'text-first'.
ALTER TABLE sites ADD COLUMN wikilinks TEXT NOT NULL DEFAULT '';

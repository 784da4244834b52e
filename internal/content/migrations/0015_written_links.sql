-- +goose Up
-- Links are stored as they are written, and found by the names in them. The rows of
-- older pages are written again when the wiki is opened; see relink.
ALTER TABLE meta ADD COLUMN links INTEGER NOT NULL DEFAULT 0; -- version of the rows below

ALTER TABLE backlinks RENAME COLUMN target_key TO key; -- one of wiki.Link's keys

CREATE TABLE aliases (                  -- other names of pages, from their front matter
    wiki  TEXT NOT NULL,
    path  TEXT NOT NULL,                -- file of the page
    alias TEXT NOT NULL,
    PRIMARY KEY (wiki, path, alias)
) WITHOUT ROWID;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('aliases', 'aliases', '500 500 1 1');

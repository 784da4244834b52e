-- +goose Up
-- Files that are kept with a draft until its page is saved.
CREATE TABLE draft_files (
    wiki TEXT NOT NULL,
    did  TEXT NOT NULL,
    key  TEXT NOT NULL,                 -- of the draft
    name TEXT NOT NULL,                 -- last segment of the file's path
    data BLOB NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (wiki, did, key, name)
);

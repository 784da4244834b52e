-- +goose Up
-- Files that were deleted because another file took over their content. Their former
-- names lead to it.
CREATE TABLE merges (
    wiki      TEXT NOT NULL,
    key       TEXT NOT NULL,            -- of the deleted file
    seq       INTEGER NOT NULL,         -- of its deletion
    path      TEXT NOT NULL,
    into_path TEXT NOT NULL,
    into_key  TEXT NOT NULL,
    PRIMARY KEY (wiki, key, seq)
) WITHOUT ROWID;

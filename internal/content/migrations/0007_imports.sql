-- +goose Up
-- Objects of an import outside the history along first parents, and the ids that
-- the import replaced.

CREATE TABLE packs (                    -- one git pack (gitformat-pack(5)), cut into parts:
    wiki TEXT NOT NULL,                 -- the commits of other branches, their trees and
    part INTEGER NOT NULL,              -- blobs, and tags
    data BLOB NOT NULL,
    PRIMARY KEY (wiki, part)
);

CREATE TABLE tags (
    wiki TEXT NOT NULL,
    name TEXT NOT NULL,                 -- without refs/tags/
    oid  TEXT NOT NULL,                 -- of a commit, or of a tag object
    PRIMARY KEY (wiki, name)
);

CREATE TABLE replaced (                 -- commits and blobs from before an import
    wiki TEXT NOT NULL,
    oid  TEXT NOT NULL,
    PRIMARY KEY (wiki, oid)
);

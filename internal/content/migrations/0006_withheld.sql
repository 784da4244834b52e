-- +goose Up
CREATE TABLE withheld (                 -- blobs that are taken down, for legal reasons
    wiki TEXT NOT NULL,
    blob TEXT NOT NULL,
    path TEXT NOT NULL,                 -- the file that was named
    why  TEXT NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (wiki, blob)
) WITHOUT ROWID;

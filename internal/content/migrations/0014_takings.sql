-- +goose Up
-- Files that took over text from others in a commit, so that its lines keep their
-- authors.
CREATE TABLE takings (
    wiki      TEXT NOT NULL,
    key       TEXT NOT NULL,            -- of the file that took text, after the commit
    seq       INTEGER NOT NULL,
    from_key  TEXT NOT NULL,            -- of the file that had it, before the commit
    path      TEXT NOT NULL,
    from_path TEXT NOT NULL,
    PRIMARY KEY (wiki, key, seq, from_key)
) WITHOUT ROWID;
INSERT INTO takings SELECT wiki, into_key, seq, key, into_path, path FROM merges;

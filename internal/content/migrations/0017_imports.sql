-- +goose Up
-- Imports, with the person who vouches for their text. Of those before this table,
-- only the commits are known.
CREATE TABLE imports (
    wiki       TEXT NOT NULL,
    first      INTEGER NOT NULL,        -- seq of the first commit
    last       INTEGER NOT NULL,        -- and of the last one
    source     TEXT NOT NULL,           -- name of the file or repository, "" if unknown
    time       INTEGER NOT NULL,
    vouched_by TEXT NOT NULL DEFAULT '', -- DID, or "operator"; "" if nobody vouches
    vouched_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (wiki, first)
) WITHOUT ROWID;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('imports', 'imports', '20 20 1');

INSERT INTO imports (wiki, first, last, source, time)
    SELECT wiki, min(seq), max(seq), '', max(time) FROM commits WHERE imported GROUP BY wiki;
INSERT INTO imports (wiki, first, last, source, time)
    SELECT wiki, seq, seq, '', time FROM commits WHERE client = 'import' AND NOT imported;

-- How often somebody vouched or took that back.
ALTER TABLE meta ADD COLUMN vouches INTEGER NOT NULL DEFAULT 0;

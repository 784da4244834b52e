-- +goose Up
-- Counting edits by grant reads only this index.
CREATE INDEX commits_grant ON commits (wiki, grant_id, imported) WHERE grant_id <> '';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('commits', 'commits_grant', '20000 20000 1000 1000');

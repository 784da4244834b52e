-- +goose Up
-- Edits are counted by grant from this index alone.
CREATE INDEX commits_grant ON commits (wiki, grant_id, imported) WHERE grant_id <> '';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('commits', 'commits_grant', '20000 20000 1000 1000');

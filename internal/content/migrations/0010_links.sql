-- +goose Up
-- All links of a page in one row: their text changes with most saves, their targets
-- rarely do.
CREATE TABLE outlinks (
    wiki    TEXT NOT NULL,
    path    TEXT NOT NULL,              -- file of the page
    targets TEXT NOT NULL,              -- JSON: kinds and targets in order, as "page Design/Ideas"
    words   TEXT NOT NULL,              -- JSON: the text of each
    PRIMARY KEY (wiki, path)
);
CREATE TABLE backlinks (                -- pages that link to a file; tags have none
    wiki       TEXT NOT NULL,
    target_key TEXT NOT NULL,
    path       TEXT NOT NULL,
    PRIMARY KEY (wiki, target_key, path)
) WITHOUT ROWID;
INSERT INTO outlinks
    SELECT wiki, from_path, json_group_array(kind || ' ' || target ORDER BY n), json_group_array(words ORDER BY n)
    FROM links GROUP BY wiki, from_path;
INSERT INTO backlinks SELECT DISTINCT wiki, target_key, from_path FROM links WHERE kind <> 'tag';
DROP TABLE links;

-- Each commit has the id of the root's tree.
DELETE FROM trees WHERE dir = '';

DELETE FROM sqlite_stat1 WHERE tbl = 'links';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('outlinks', 'sqlite_autoindex_outlinks_1', '500 500 1'),
    ('backlinks', 'backlinks', '2500 2500 5 1');

-- +goose Up
-- The session that a commit belongs to, by the seq of its first commit: what one grant,
-- or one person without one, did without a pause of more than 30 minutes. The commits of
-- an import are one session.
ALTER TABLE commits ADD COLUMN session INTEGER NOT NULL DEFAULT 0;
UPDATE commits SET session = s.first FROM (
    SELECT seq, MAX(begins) OVER (PARTITION BY wiki, did, grant_id ORDER BY seq) AS first FROM (
        SELECT wiki, seq, did, grant_id,
            CASE WHEN time - LAG(time) OVER (PARTITION BY wiki, did, grant_id ORDER BY seq) <= 1800000 THEN 0 ELSE seq END AS begins
        FROM commits WHERE imported = FALSE)) AS s
    WHERE s.seq = commits.seq AND commits.imported = FALSE;
UPDATE commits SET session = COALESCE((SELECT MAX(first) FROM imports i WHERE i.wiki = commits.wiki AND i.first <= commits.seq), seq)
    WHERE imported = TRUE;
CREATE INDEX commits_session ON commits (wiki, session);
-- Finds a person's newest commit without a grant.
CREATE INDEX commits_person ON commits (wiki, did) WHERE grant_id = '' AND imported = FALSE;

-- Changes that a person has reviewed: of a whole commit, or of one file in it.
CREATE TABLE seen_files (
    wiki TEXT NOT NULL,
    did  TEXT NOT NULL,
    seq  INTEGER NOT NULL,
    key  TEXT NOT NULL,                 -- of the file, '' for the whole commit
    time INTEGER NOT NULL,
    PRIMARY KEY (wiki, did, seq, key)
) WITHOUT ROWID;
INSERT INTO seen_files SELECT wiki, did, seq, '', time FROM seen;
DROP TABLE seen;
ALTER TABLE seen_files RENAME TO seen;

-- The commit up to which a person has reviewed everything.
CREATE TABLE looked (
    wiki TEXT NOT NULL,
    did  TEXT NOT NULL,
    seq  INTEGER NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (wiki, did)
) WITHOUT ROWID;

DELETE FROM sqlite_stat1 WHERE tbl = 'seen';
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('seen', 'seen', '1000 1000 500 1 1'),
    ('looked', 'looked', '10 10 1'),
    ('commits', 'commits_session', '50000 50000 10'),
    ('commits', 'commits_person', '20000 20000 5000');

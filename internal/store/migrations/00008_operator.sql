-- +goose Up
ALTER TABLE sites ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0;  -- since when the operator has closed it; 0 for open
ALTER TABLE sites ADD COLUMN why TEXT NOT NULL DEFAULT '';          -- what its members are told
ALTER TABLE sites ADD COLUMN published INTEGER NOT NULL DEFAULT 0;  -- when it first was public
ALTER TABLE users ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0;
UPDATE sites SET published = created WHERE public;

CREATE TABLE reports (                  -- what readers tell the operator of
    id     INTEGER PRIMARY KEY,
    time   INTEGER NOT NULL,
    slug   TEXT NOT NULL,
    page   TEXT NOT NULL,               -- its path on the wiki's host
    reason TEXT NOT NULL,
    words  TEXT NOT NULL,
    sender TEXT NOT NULL,               -- DID, or "" for who did not sign in
    closed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX reports_open ON reports (closed, id);
CREATE INDEX audit_actor ON audit (actor, slug);

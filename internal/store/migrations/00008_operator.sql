-- +goose Up
ALTER TABLE sites ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0;  -- when the operator suspended it; 0 if not suspended
ALTER TABLE sites ADD COLUMN why TEXT NOT NULL DEFAULT '';          -- reason for the suspension, shown to members
ALTER TABLE sites ADD COLUMN published INTEGER NOT NULL DEFAULT 0;  -- when it was first made public
ALTER TABLE users ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0;
UPDATE sites SET published = created WHERE public;

CREATE TABLE reports (                  -- complaints of readers to the operator
    id     INTEGER PRIMARY KEY,
    time   INTEGER NOT NULL,
    slug   TEXT NOT NULL,
    page   TEXT NOT NULL,               -- its path on the wiki's host
    reason TEXT NOT NULL,
    words  TEXT NOT NULL,
    sender TEXT NOT NULL,               -- DID, or "" for an anonymous reader
    closed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX reports_open ON reports (closed, id);
CREATE INDEX audit_actor ON audit (actor, slug);

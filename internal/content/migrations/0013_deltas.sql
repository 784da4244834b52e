-- +goose Up
-- Older revisions are stored as deltas: their blobs.data begins with "d" and names
-- another blob (see blobs.go).
CREATE TABLE deltas (
    wiki   TEXT NOT NULL,
    base   TEXT NOT NULL,               -- the blob that the delta applies to
    oid    TEXT NOT NULL,               -- the blob that is stored as a delta
    height INTEGER NOT NULL,            -- deltas on the longest chain that ends at base and passes oid
    PRIMARY KEY (wiki, base, oid)
) WITHOUT ROWID;

-- The last commit whose changes were looked at to compress what they replaced,
ALTER TABLE meta ADD COLUMN compressed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN compressed_n INTEGER NOT NULL DEFAULT -1; -- and the place of the change in it

-- A wiki's history counts as stored.
UPDATE meta SET history_bytes =
    (SELECT COALESCE(SUM(LENGTH(data)), 0) FROM blobs WHERE blobs.wiki = meta.wiki) +
    (SELECT COALESCE(SUM(LENGTH(data)), 0) FROM packs WHERE packs.wiki = meta.wiki);

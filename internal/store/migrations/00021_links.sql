-- +goose Up
CREATE TABLE links (                    -- one-time links of robot home; used ones are deleted
    id      TEXT PRIMARY KEY,
    hash    BLOB NOT NULL UNIQUE,       -- SHA-256 of the code, which isn't stored
    did     TEXT REFERENCES users (did) ON DELETE CASCADE,   -- the person it signs in; NULL for an invitation
    slug    TEXT REFERENCES sites (slug) ON DELETE CASCADE,  -- the wiki it invites to; NULL for a sign-in
    role    TEXT NOT NULL DEFAULT '',   -- of the invited person
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    CHECK ((did IS NULL) <> (slug IS NULL))
);
CREATE INDEX links_did ON links (did);
CREATE INDEX links_slug ON links (slug);
CREATE INDEX links_expires ON links (expires);

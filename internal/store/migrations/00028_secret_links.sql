-- +goose Up
CREATE TABLE secret_links (
    id      TEXT PRIMARY KEY,           -- the secret is made from it with a key outside of the database
    slug    TEXT NOT NULL REFERENCES sites (slug) ON DELETE CASCADE,
    did     TEXT NOT NULL REFERENCES users (did) ON DELETE CASCADE, -- whose rights it has
    page    TEXT NOT NULL,              -- name of the page when it was made; '' for the feed
    seq     INTEGER NOT NULL,           -- the wiki's newest commit when it was made
    created INTEGER NOT NULL,
    used    INTEGER NOT NULL DEFAULT 0  -- to the hour
);
CREATE INDEX secret_links_maker ON secret_links (slug, did);
CREATE INDEX secret_links_did ON secret_links (did);

-- +goose Up
CREATE TABLE domains (                    -- own domains of wikis
    host     TEXT NOT NULL,               -- in lowercase, in ASCII
    slug     TEXT NOT NULL,               -- its wiki; '' once that is purged
    added    INTEGER NOT NULL,
    verified INTEGER NOT NULL DEFAULT 0,  -- when the owner proved that the domain is theirs; 0 until then
    checked  INTEGER NOT NULL DEFAULT 0,  -- when its DNS was last looked at
    seen     INTEGER NOT NULL DEFAULT 0,  -- when it last pointed here
    lost     INTEGER NOT NULL DEFAULT 0,  -- since when it points elsewhere; 0 while it points here
    released INTEGER NOT NULL DEFAULT 0   -- when it was disconnected; 0 while it is connected
);
CREATE UNIQUE INDEX domains_host ON domains (host) WHERE verified > 0; -- the proof decides whose it is, not the claim
CREATE UNIQUE INDEX domains_slug ON domains (slug) WHERE released = 0; -- a wiki has one
CREATE INDEX domains_checked ON domains (checked) WHERE verified > 0 AND released = 0;

ALTER TABLE codes ADD COLUMN host TEXT NOT NULL DEFAULT '';          -- own domain that can use the code; '' for the wiki's subdomain
ALTER TABLE oauth_grants ADD COLUMN domain TEXT NOT NULL DEFAULT ''; -- own domain that its tokens are for; '' for the wiki's subdomain

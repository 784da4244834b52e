-- +goose Up
ALTER TABLE oauth_clients ADD COLUMN share TEXT NOT NULL DEFAULT '';  -- whom it counts against while nobody uses it, see oauth
ALTER TABLE oauth_requests ADD COLUMN share TEXT NOT NULL DEFAULT ''; -- whom it counts against
UPDATE oauth_clients SET share = id;
UPDATE oauth_requests SET share = hex(hash);

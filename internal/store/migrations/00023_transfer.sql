-- +goose Up
-- A wiki that its owner offers to a member, who becomes the owner by accepting it.
ALTER TABLE sites ADD COLUMN offered_to TEXT NOT NULL DEFAULT ''; -- DID, "" if it isn't offered
CREATE INDEX sites_offered ON sites (offered_to) WHERE offered_to <> '';

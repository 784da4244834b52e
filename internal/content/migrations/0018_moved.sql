-- +goose Up
-- The commit of another service's repository that the history was moved from, and the
-- number of the last commit that this made here; '' and 0 if it wasn't moved.
ALTER TABLE meta ADD COLUMN moved TEXT NOT NULL DEFAULT '';
ALTER TABLE meta ADD COLUMN moved_seq INTEGER NOT NULL DEFAULT 0;

-- +goose Up
-- The handle that the account verified last. users.handle can be handle.invalid since.
ALTER TABLE users ADD COLUMN verified TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN checked INTEGER NOT NULL DEFAULT 0;  -- when the handle was last verified, or tried to be
UPDATE users SET verified = handle WHERE handle <> 'handle.invalid';
CREATE INDEX users_verified ON users (verified) WHERE verified <> '';
CREATE INDEX users_checked ON users (checked);

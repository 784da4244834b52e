-- +goose Up
ALTER TABLE webhooks ADD COLUMN bare BOOLEAN NOT NULL DEFAULT FALSE; -- its messages name no pages and people

-- +goose Up
CREATE TABLE signins (
    hash    BLOB PRIMARY KEY,           -- SHA-256 of the state
    data    TEXT NOT NULL,              -- JSON, for the callback
    back    TEXT NOT NULL,              -- where the person wanted to go
    expires INTEGER NOT NULL
);
CREATE INDEX signins_expires ON signins (expires);

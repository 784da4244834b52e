-- +goose Up
CREATE TABLE alive (                    -- written to check that the database is writable
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    time INTEGER NOT NULL
);

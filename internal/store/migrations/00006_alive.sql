-- +goose Up
CREATE TABLE alive (                    -- written to find out whether it can be
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    time INTEGER NOT NULL
);

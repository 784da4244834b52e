-- +goose Up
CREATE TABLE aside (                 -- input that made background work panic; the work skips it
    wiki    TEXT    NOT NULL,
    work    TEXT    NOT NULL,        -- "index", "export"; see package background
    item    TEXT    NOT NULL,        -- "blob" or "commit" and its id; never a name or text
    version TEXT    NOT NULL,        -- of the program that panicked; another one tries again
    time    INTEGER NOT NULL,
    PRIMARY KEY (wiki, work, item)
) WITHOUT ROWID;

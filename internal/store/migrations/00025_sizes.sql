-- +goose Up
CREATE TABLE sizes (                    -- what wikis hold, as their databases said at a time
    slug    TEXT PRIMARY KEY REFERENCES sites (slug) ON DELETE CASCADE,
    pages   INTEGER NOT NULL,
    files   INTEGER NOT NULL,
    current INTEGER NOT NULL,           -- bytes
    history INTEGER NOT NULL,           -- bytes
    counted INTEGER NOT NULL            -- ms
);

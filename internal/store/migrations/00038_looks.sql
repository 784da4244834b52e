-- +goose Up
ALTER TABLE sites ADD COLUMN accent TEXT NOT NULL DEFAULT '';  -- color of links and buttons, as #2038c4, or ''
ALTER TABLE sites ADD COLUMN footer TEXT NOT NULL DEFAULT '';  -- Markdown below its pages, or ''
ALTER TABLE sites ADD COLUMN icon TEXT NOT NULL DEFAULT '';    -- id of its icon, or ''

CREATE TABLE site_icons (               -- wikis' own icons, small and re-encoded
    slug TEXT PRIMARY KEY REFERENCES sites (slug) ON DELETE CASCADE,
    id   TEXT NOT NULL,                 -- hash of data
    mime TEXT NOT NULL,
    data BLOB NOT NULL
);

-- +goose Up
-- Whether a commit moved text is asked for each revision of a page that is shown.
CREATE INDEX takings_seq ON takings (wiki, seq);

-- The full-text index of the pages.

-- +goose Up
ALTER TABLE pages ADD COLUMN search tsvector
    GENERATED ALWAYS AS (to_tsvector('simple', title || ' ' || body)) STORED;
CREATE INDEX pages_search ON pages USING gin (search);

-- +goose Down
ALTER TABLE pages DROP COLUMN search;

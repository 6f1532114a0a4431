-- +goose Up

-- What a job that is too long for an index says; job is a digest of it then.
ALTER TABLE jobs ADD COLUMN text text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE jobs DROP COLUMN text;

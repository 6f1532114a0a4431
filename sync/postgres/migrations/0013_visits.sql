-- +goose Up

-- Sessions of the dashboard.
CREATE TABLE visits (
    token      text PRIMARY KEY, -- its hash
    data       bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX visits_expire ON visits (expires_at);

-- +goose Down
DROP TABLE visits;

-- +goose Up

-- The last analysis with which a plan was made: a run that succeeded.
ALTER TABLE pushes ADD COLUMN analysis bigint NOT NULL DEFAULT 0;
UPDATE pushes p SET analysis = coalesce((SELECT max(run_id) FROM runs r
    WHERE r.store_id = p.store_id AND r.kind = 'analyze' AND r.state = 'succeeded' AND r.ended_at <= p.at), 0);

-- +goose Down
ALTER TABLE pushes DROP COLUMN analysis;

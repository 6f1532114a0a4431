-- +goose Up

-- What came of the tries so far, when the next one is due, and since when the person is to be in these audiences.
ALTER TABLE outbox
    ADD COLUMN reason   text NOT NULL DEFAULT '',           -- of the last answer that put it off
    ADD COLUMN tried_at timestamptz,                        -- when that came; null before the first
    ADD COLUMN next_at  timestamptz,                        -- not tried again before; null: at once
    ADD COLUMN since    timestamptz NOT NULL DEFAULT now();

-- When everybody had been handed over who was to be in an audience at first; null until then. Who comes before is no news.
ALTER TABLE audiences ADD COLUMN filled_at timestamptz;
UPDATE audiences SET filled_at = now() WHERE (store_id, destination, key) IN (
    SELECT DISTINCT store_id, destination, unnest(audiences) FROM deliveries WHERE hash IS NOT NULL);

-- The audiences in which the platform confirmed somebody, where others stand there by now: because a list was deleted, tags
-- were removed by hand, or the address is a new one. What is mended is no news.
ALTER TABLE deliveries ADD COLUMN told text[];

-- People who stood as desired when the last plan was made.
ALTER TABLE pushes ADD COLUMN unchanged integer NOT NULL DEFAULT 0;

-- When destinations were asked last what stands there: all of it, or who left.
CREATE TABLE looks (
    store_id    bigint NOT NULL,
    destination text NOT NULL,
    whole_at    timestamptz,                  -- null: never
    at          timestamptz NOT NULL,
    PRIMARY KEY (store_id, destination)
);

-- +goose Down
DROP TABLE looks;
ALTER TABLE pushes DROP COLUMN unchanged;
ALTER TABLE deliveries DROP COLUMN told;
ALTER TABLE audiences DROP COLUMN filled_at;
ALTER TABLE outbox DROP COLUMN reason, DROP COLUMN tried_at, DROP COLUMN next_at, DROP COLUMN since;

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

-- What is shown of people beside sums: the RFM group before the present one, the day of the last order, and the category on
-- which they spent most. All is worked out anew in the first night.
ALTER TABLE rfm_scores ADD COLUMN previous text;                   -- null: never in another one
ALTER TABLE person_stats ADD COLUMN favourite text NOT NULL DEFAULT ''; -- '' for none
ALTER TABLE standings
    ADD COLUMN last_order date,                                    -- null: none that counts
    ADD COLUMN favourite  text NOT NULL DEFAULT '';
UPDATE rfm_scores s SET previous = k.segment FROM (
    SELECT DISTINCT ON (store_id, person_id) store_id, person_id, m.segment
    FROM memberships m JOIN rfm_scores r USING (store_id, person_id)
    WHERE m.scheme = 'rfm' AND m.segment <> r.segment ORDER BY store_id, person_id, m.first_day DESC
) k WHERE s.store_id = k.store_id AND s.person_id = k.person_id;
INSERT INTO touched SELECT store_id, person_id FROM person_stats ON CONFLICT DO NOTHING;

-- +goose Down
ALTER TABLE standings DROP COLUMN last_order, DROP COLUMN favourite;
ALTER TABLE person_stats DROP COLUMN favourite;
ALTER TABLE rfm_scores DROP COLUMN previous;
DROP TABLE looks;
ALTER TABLE pushes DROP COLUMN unchanged;
ALTER TABLE deliveries DROP COLUMN told;
ALTER TABLE audiences DROP COLUMN filled_at;
ALTER TABLE outbox DROP COLUMN reason, DROP COLUMN tried_at, DROP COLUMN next_at, DROP COLUMN since;

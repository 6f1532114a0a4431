-- +goose Up

-- In the order of each person's purchases, so that they need not be sorted. It takes the place of the old one when it is
-- ready: in a large shop that takes a while, in which orders can be read.
CREATE INDEX orders_purchases ON orders (store_id, person_id, placed_at) INCLUDE (gross, id, cost) WHERE counted;
INSERT INTO touched SELECT store_id, person_id FROM person_stats ON CONFLICT DO NOTHING;

-- What lifecycle and lifetime value need of a person's purchases, kept beside the other aggregates. Orders of which all
-- money was given back are no purchases.
ALTER TABLE person_stats
    ADD COLUMN days         integer NOT NULL DEFAULT 0,          -- local days with a purchase
    ADD COLUMN previous_day date,                                -- the purchase day before the last; null below two
    ADD COLUMN log_gaps     double precision NOT NULL DEFAULT 0, -- sum of ln(weeks) between neighbouring purchase days
    ADD COLUMN bought       numeric NOT NULL DEFAULT 0,          -- of the purchases, after refunds
    ADD COLUMN first_bought numeric NOT NULL DEFAULT 0,          -- of the first purchase day
    ADD COLUMN cost         numeric;                             -- of the purchases; null where not all of it is known

DROP INDEX orders_person;
ALTER INDEX orders_purchases RENAME TO orders_person;

-- Where everybody stands beside the RFM groups, and what is shown of their worth. Everybody known has a row, whoever never
-- bought included. Values move a little every night; what is shown is rounded and stands until it has to change.
CREATE TABLE standings (
    store_id  bigint NOT NULL,
    person_id bigint NOT NULL,
    stage     text NOT NULL,                 -- of the lifecycle
    tier      text NOT NULL DEFAULT '',      -- of value; '' for none
    churn     text NOT NULL DEFAULT '',      -- band of the risk to be gone; '' where it is not known
    own       text[] NOT NULL DEFAULT '{}',  -- ids of the owner's segments, sorted
    value     numeric,                       -- predicted over the horizon, rounded; null where it is not known
    next_week date,                          -- Monday of the week in which the next order is expected; null for none
    PRIMARY KEY (store_id, person_id)
);

-- +goose Down
DROP TABLE standings;
DROP INDEX orders_person;
CREATE INDEX orders_person ON orders (store_id, person_id) INCLUDE (placed_at, gross, id) WHERE counted;
ALTER TABLE person_stats DROP COLUMN days, DROP COLUMN previous_day, DROP COLUMN log_gaps, DROP COLUMN bought,
    DROP COLUMN first_bought, DROP COLUMN cost;

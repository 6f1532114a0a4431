-- +goose Up

-- Who comes back, as of a local day: counts of everybody, nothing about one person. The latest alone is kept, since any
-- other can be made of the orders.
CREATE TABLE retention (
    store_id bigint PRIMARY KEY,
    day      date NOT NULL,
    summary  jsonb NOT NULL
);

-- +goose Down
DROP TABLE retention;

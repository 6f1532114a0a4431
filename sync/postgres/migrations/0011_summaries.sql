-- +goose Up

-- What a night worked out of everybody, one row for each question: counts and sums, nothing about one person. The latest alone
-- is kept, since any other can be made of the orders.
CREATE TABLE summaries (
    store_id bigint NOT NULL,
    question text NOT NULL,                  -- products, values, trials
    day      date NOT NULL,
    summary  jsonb NOT NULL,
    PRIMARY KEY (store_id, question)
);

-- +goose Down
DROP TABLE summaries;

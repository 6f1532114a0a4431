-- +goose Up

-- What a shop's customers are worth, as of a local day: the model with its parameters and how it fared. Nothing in it is
-- about one person; what a person will do is worked out of it when asked.
CREATE TABLE appraisals (
    store_id bigint NOT NULL,
    day      date NOT NULL,
    worth    jsonb NOT NULL,
    PRIMARY KEY (store_id, day)
);

-- +goose Down
DROP TABLE appraisals;

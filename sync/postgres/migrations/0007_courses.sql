-- +goose Up

-- Where the customers of each segment went next so far, for every scheme that foretells it: counts and how well they
-- foretell. Nothing in it is about one person.
CREATE TABLE courses (
    store_id bigint NOT NULL,
    scheme   text NOT NULL,
    course   jsonb NOT NULL,
    PRIMARY KEY (store_id, scheme)
);

-- +goose Down
DROP TABLE courses;

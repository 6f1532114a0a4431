-- +goose Up

-- Room for a second version of some rows of every page: whoever changes in a night is then written beside where they were, and no
-- index is. It comes with the rows that are written from now on.
ALTER TABLE person_stats SET (fillfactor = 90);
ALTER TABLE rfm_scores SET (fillfactor = 90);
ALTER TABLE standings SET (fillfactor = 90);

-- The gaps between purchases are asked for by the choice of a model alone, which sums up the orders by itself.
ALTER TABLE person_stats DROP COLUMN log_gaps;

-- +goose Down
ALTER TABLE person_stats ADD COLUMN log_gaps double precision NOT NULL DEFAULT 0;
INSERT INTO touched SELECT store_id, person_id FROM person_stats ON CONFLICT DO NOTHING;
ALTER TABLE standings RESET (fillfactor);
ALTER TABLE rfm_scores RESET (fillfactor);
ALTER TABLE person_stats RESET (fillfactor);

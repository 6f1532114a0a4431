-- +goose Up

-- Who came to a segment when, for the people behind a move between two days. Of a million people few move in a month; without
-- this, all intervals that there ever were are read.
CREATE INDEX memberships_entered ON memberships (store_id, scheme, segment, first_day);

-- +goose Down
DROP INDEX memberships_entered;

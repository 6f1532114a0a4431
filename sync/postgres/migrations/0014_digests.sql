-- +goose Up

-- Which weekly mails have been sent, for each shop; beside the leases, in the control database.
CREATE TABLE digests (
    store_id      bigint PRIMARY KEY,
    done          text NOT NULL,                  -- the last one that was answered for, on the shop's wall clock
    attempts      integer NOT NULL DEFAULT 0,     -- of the one after it
    next_try      timestamptz,
    reached       text[] NOT NULL DEFAULT '{}',   -- who has the one after it already
    claimed_until timestamptz                     -- a process is at it; null: none
);

-- +goose Down
DROP TABLE digests;

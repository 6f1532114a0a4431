-- +goose Up

-- When a share of those who were due in an audience was held out, to find out what the audience brings.
CREATE TABLE holdouts (
    store_id bigint NOT NULL,
    audience text NOT NULL,
    since    date NOT NULL,
    until    date,                           -- the day from which on nobody was held out; null while it goes on
    share    double precision NOT NULL,      -- as it stands, or stood last
    PRIMARY KEY (store_id, audience, since)
);

-- Who was due in an audience in such a time: since which local day, by which share the lot was dealt, and how it fell. It
-- stands for good, whatever becomes of the share: nobody changes sides.
CREATE TABLE exposures (
    store_id  bigint NOT NULL,
    audience  text NOT NULL,
    person_id bigint NOT NULL,
    day       date NOT NULL,
    held      boolean NOT NULL,
    share     double precision NOT NULL,
    PRIMARY KEY (store_id, audience, person_id)
);

-- +goose Down
DROP TABLE exposures;
DROP TABLE holdouts;

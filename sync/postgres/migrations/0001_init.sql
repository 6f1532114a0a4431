-- +goose Up

-- Control: which shops there are, who may write to them, what is due and what was done.

CREATE TABLE stores (
    store_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text NOT NULL UNIQUE,          -- as in the configuration
    kind      text NOT NULL,
    identity  text NOT NULL DEFAULT '',      -- pins the shop behind the key
    shop      text NOT NULL DEFAULT '',      -- its name for people
    platform  text NOT NULL DEFAULT '',
    currency  text NOT NULL DEFAULT '',
    time_zone text NOT NULL DEFAULT 'UTC',
    policy    jsonb NOT NULL DEFAULT '{}',   -- what decides how orders count; changed policy recomputes every order
    loaded_at timestamptz,                   -- end of the first load
    -- Key of the hashes in tombstones: 244 random bits, made with the row. It keeps a hash from being looked up in a
    -- table of known addresses; it does not hide anything from who has the whole database.
    erasure_key bytea NOT NULL DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
);

CREATE TABLE leases (
    store_id   bigint PRIMARY KEY,
    epoch      bigint NOT NULL,
    holder     text NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE nightlies (
    store_id bigint PRIMARY KEY,
    done     text NOT NULL DEFAULT '',
    attempts integer NOT NULL DEFAULT 0,
    next_try timestamptz
);

CREATE TABLE runs (
    store_id   bigint NOT NULL,
    run_id     bigint GENERATED ALWAYS AS IDENTITY,
    kind       text NOT NULL,
    state      text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz,
    counts     jsonb NOT NULL DEFAULT '{}',
    error      text NOT NULL DEFAULT '',
    error_kind text NOT NULL DEFAULT '',
    remedy     text NOT NULL DEFAULT '',
    PRIMARY KEY (store_id, run_id)
);

-- The writer of a shop: its epoch is raised by whoever takes the lease, and every writing transaction checks it here,
-- in the shop's own database.
CREATE TABLE fences (
    store_id bigint PRIMARY KEY,
    epoch    bigint NOT NULL
);

-- Ingest: where each pull stands, what it could not read, what a sweep has met.

CREATE TABLE cursors (
    store_id   bigint NOT NULL,
    resource   text NOT NULL,
    mode       text NOT NULL,
    cursor     text NOT NULL DEFAULT '',
    done       boolean NOT NULL DEFAULT true,
    records    bigint NOT NULL DEFAULT 0,
    total      bigint NOT NULL DEFAULT 0,
    whole      boolean NOT NULL DEFAULT false, -- the pull under way began at the beginning
    unswept    boolean NOT NULL DEFAULT false, -- a sweep whose deletions are not in yet
    seen       bigint NOT NULL DEFAULT 0,    -- rows in sweep_seen, to notice when they are lost
    started_at timestamptz,
    read_at    timestamptz,                  -- of the last page
    ended_at   timestamptz,                  -- of the last finished pull; a sweep is finished when its deletions are in
    PRIMARY KEY (store_id, resource, mode)
);

-- Notes of a sweep under way. Unlogged: they cost no WAL, and cursors.seen tells when a crash emptied them.
CREATE UNLOGGED TABLE sweep_seen (
    store_id bigint NOT NULL,
    resource text NOT NULL,
    id       text NOT NULL,
    PRIMARY KEY (store_id, resource, id)
);

CREATE TABLE quarantine (
    store_id   bigint NOT NULL,
    resource   text NOT NULL,
    id         text NOT NULL,
    reason     text NOT NULL,
    raw        bytea NOT NULL,
    tries      integer NOT NULL DEFAULT 1,
    first_seen timestamptz NOT NULL,
    last_seen  timestamptz NOT NULL,
    PRIMARY KEY (store_id, resource, id)
);

-- Erased people: only a keyed hash of what identified them, so that they never come back, and the nameless person to
-- whom their amounts belong.
CREATE TABLE tombstones (
    store_id  bigint NOT NULL,
    key_hash  bytea NOT NULL,
    person_id bigint,
    at        timestamptz NOT NULL,
    PRIMARY KEY (store_id, key_hash)
);

-- The shop's records. hash is of the content and says whether anything changed; deleted_at is set where the record is
-- gone from the shop.

CREATE SEQUENCE person_ids;

CREATE TABLE persons (
    store_id    bigint NOT NULL,
    person_id   bigint NOT NULL,
    customer_id text,                        -- null for guests
    email       text,                        -- normalised; null where unknown
    PRIMARY KEY (store_id, person_id)
);
CREATE UNIQUE INDEX persons_customer ON persons (store_id, customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX persons_email ON persons (store_id, email) WHERE email IS NOT NULL;

CREATE TABLE customers (
    store_id    bigint NOT NULL,
    id          text NOT NULL,
    person_id   bigint,
    email       text NOT NULL,
    first_name  text NOT NULL,
    last_name   text NOT NULL,
    role        text NOT NULL,
    country     text NOT NULL,
    region      text NOT NULL,
    city        text NOT NULL,
    postcode    text NOT NULL,
    tags        text[] NOT NULL,
    consent     text NOT NULL,
    consent_at  timestamptz,
    created_at  timestamptz,
    modified_at timestamptz,
    hash        bytea NOT NULL,
    deleted_at  timestamptz,
    PRIMARY KEY (store_id, id)
);
CREATE INDEX customers_person ON customers (store_id, person_id);
CREATE INDEX customers_consent ON customers (store_id, person_id) INCLUDE (consent, consent_at) WHERE consent <> '';

CREATE TABLE products (
    store_id    bigint NOT NULL,
    id          text NOT NULL,
    parent_id   text NOT NULL,
    name        text NOT NULL,
    sku         text NOT NULL,
    type        text NOT NULL,
    status      text NOT NULL,
    price       numeric CHECK (price <> 'NaN'),
    cost        numeric CHECK (cost <> 'NaN'),
    categories  text[] NOT NULL,
    brands      text[] NOT NULL,
    tags        text[] NOT NULL,
    attributes  jsonb NOT NULL,
    created_at  timestamptz,
    modified_at timestamptz,
    hash        bytea NOT NULL,
    deleted_at  timestamptz,
    PRIMARY KEY (store_id, id)
);

CREATE TABLE coupons (
    store_id    bigint NOT NULL,
    id          text NOT NULL,
    code        text NOT NULL,
    kind        text NOT NULL,
    amount      numeric NOT NULL CHECK (amount <> 'NaN'),
    uses        integer NOT NULL,
    status      text NOT NULL,
    created_at  timestamptz,
    modified_at timestamptz,
    expires_at  timestamptz,
    hash        bytea NOT NULL,
    deleted_at  timestamptz,
    PRIMARY KEY (store_id, id)
);

CREATE TABLE orders (
    store_id       bigint NOT NULL,
    id             text NOT NULL,
    number         text NOT NULL,
    status         text NOT NULL,
    test           boolean NOT NULL,
    customer_id    text NOT NULL,
    email          text NOT NULL,
    first_name     text NOT NULL,
    last_name      text NOT NULL,
    country        text NOT NULL,
    region         text NOT NULL,
    city           text NOT NULL,
    postcode       text NOT NULL,
    placed_at      timestamptz NOT NULL,
    modified_at    timestamptz,
    paid_at        timestamptz,
    completed_at   timestamptz,
    currency       text NOT NULL,
    goods          numeric NOT NULL CHECK (goods <> 'NaN'),
    discount       numeric NOT NULL CHECK (discount <> 'NaN'),
    shipping       numeric NOT NULL CHECK (shipping <> 'NaN'),
    tax            numeric NOT NULL CHECK (tax <> 'NaN'),
    fees           numeric NOT NULL CHECK (fees <> 'NaN'),
    total          numeric NOT NULL CHECK (total <> 'NaN'),
    gift_cards     numeric NOT NULL CHECK (gift_cards <> 'NaN'),
    cost           numeric CHECK (cost <> 'NaN'),
    buyer_currency text NOT NULL,
    buyer_total    numeric CHECK (buyer_total <> 'NaN'),
    channel        text NOT NULL,
    attribution    jsonb NOT NULL,
    coupons        text[] NOT NULL,
    consent        text NOT NULL,
    consent_at     timestamptz,
    hash           bytea NOT NULL,           -- of the order with its lines and refunds
    complete       boolean NOT NULL,         -- lines and refunds are all here
    deleted_at     timestamptz,
    -- Derived by the store's policy when the order is written or the policy changes:
    person_id      bigint,                   -- null where the order names nobody
    counted        boolean NOT NULL,         -- a purchase: status, not a test, complete, not deleted, currency known
    rate           numeric,                  -- to the store's currency; null where there is none
    gross          numeric NOT NULL,         -- goods - discount - gift cards (by policy also tax, shipping), store's currency
    PRIMARY KEY (store_id, id)
);
CREATE INDEX orders_person ON orders (store_id, person_id) INCLUDE (placed_at, gross, id) WHERE counted;
CREATE INDEX orders_consent ON orders (store_id, person_id) INCLUDE (consent, consent_at) WHERE consent <> '';
CREATE INDEX orders_email ON orders (store_id, email) WHERE email <> '';
CREATE INDEX orders_customer ON orders (store_id, customer_id) WHERE customer_id <> '';

CREATE TABLE lines (
    store_id   bigint NOT NULL,
    order_id   text NOT NULL,
    id         text NOT NULL,
    product_id text NOT NULL,
    variant_id text NOT NULL,
    sku        text NOT NULL,
    name       text NOT NULL,
    quantity   numeric NOT NULL CHECK (quantity <> 'NaN'),
    subtotal   numeric NOT NULL CHECK (subtotal <> 'NaN'),
    total      numeric NOT NULL CHECK (total <> 'NaN'),
    tax        numeric NOT NULL CHECK (tax <> 'NaN'),
    cost       numeric CHECK (cost <> 'NaN'),
    gift_card  boolean NOT NULL,
    PRIMARY KEY (store_id, order_id, id)
);

CREATE TABLE refunds (
    store_id    bigint NOT NULL,
    order_id    text NOT NULL,               -- '' where the source knows only the person
    id          text NOT NULL,
    customer_id text NOT NULL,
    email       text NOT NULL,
    at          timestamptz NOT NULL,
    currency    text NOT NULL,
    amount      numeric NOT NULL CHECK (amount <> 'NaN'),
    goods       numeric NOT NULL CHECK (goods <> 'NaN'),
    shipping    numeric NOT NULL CHECK (shipping <> 'NaN'),
    fees        numeric NOT NULL CHECK (fees <> 'NaN'),
    tax         numeric NOT NULL CHECK (tax <> 'NaN'),
    cost        numeric CHECK (cost <> 'NaN'),
    reason      text NOT NULL,
    lines       jsonb NOT NULL,
    -- Derived:
    person_id   bigint,
    counted     boolean NOT NULL,            -- its order counts, or it has no order; currency known
    net         numeric NOT NULL,            -- what it takes from gross, store's currency
    whole       numeric NOT NULL,            -- amount in the store's currency
    PRIMARY KEY (store_id, order_id, id)
);
CREATE INDEX refunds_person ON refunds (store_id, person_id) WHERE counted;
CREATE INDEX refunds_loose ON refunds (store_id, email) WHERE order_id = '';
CREATE INDEX refunds_loose_customer ON refunds (store_id, customer_id) WHERE order_id = '' AND customer_id <> '';

CREATE TABLE reviews (
    store_id   bigint NOT NULL,
    id         text NOT NULL,
    product_id text NOT NULL,
    email      text NOT NULL,
    reviewer   text NOT NULL,
    rating     smallint NOT NULL,
    body       text NOT NULL,
    verified   boolean NOT NULL,
    status     text NOT NULL,
    created_at timestamptz,
    hash       bytea NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (store_id, id)
);
CREATE INDEX reviews_email ON reviews (store_id, email);

-- Analysis: aggregates per person, kept up for those that were touched; the membership that stands; its history as
-- intervals of local days, which are the record; and the distribution of each day.

CREATE TABLE touched (
    store_id  bigint NOT NULL,
    person_id bigint NOT NULL,
    PRIMARY KEY (store_id, person_id)
);

CREATE TABLE person_stats (
    store_id  bigint NOT NULL,
    person_id bigint NOT NULL,
    orders    integer NOT NULL,              -- counted, and not refunded to zero
    first_day date,
    last_day  date,
    gross     numeric NOT NULL,
    net       numeric NOT NULL,
    PRIMARY KEY (store_id, person_id)
);

CREATE TABLE schemes (
    store_id   bigint NOT NULL,
    scheme     text NOT NULL,
    version    text NOT NULL,
    rule       jsonb NOT NULL,
    first_day  date NOT NULL,
    PRIMARY KEY (store_id, scheme, version)
);

CREATE TABLE rfm_scores (
    store_id  bigint NOT NULL,
    person_id bigint NOT NULL,
    r         smallint NOT NULL,
    f         smallint NOT NULL,
    m         smallint NOT NULL,
    segment   text NOT NULL,
    since     date NOT NULL,                 -- first day in the segment
    PRIMARY KEY (store_id, person_id)
);

CREATE TABLE memberships (
    store_id  bigint NOT NULL,
    scheme    text NOT NULL,
    person_id bigint NOT NULL,
    first_day date NOT NULL,
    last_day  date,                          -- null while it stands
    version   text NOT NULL,
    segment   text NOT NULL,
    PRIMARY KEY (store_id, scheme, person_id, first_day)
);

CREATE TABLE snapshots (
    store_id  bigint NOT NULL,
    scheme    text NOT NULL,
    day       date NOT NULL,
    segment   text NOT NULL,
    version   text NOT NULL,
    as_of     timestamptz NOT NULL,
    place     smallint NOT NULL,             -- order of the segments
    customers integer NOT NULL,
    orders    bigint NOT NULL,
    gross     numeric NOT NULL,
    net       numeric NOT NULL,
    PRIMARY KEY (store_id, scheme, day, segment)
);

-- Activation: what was made, what was delivered, what is under way.

CREATE TABLE audiences (
    store_id    bigint NOT NULL,
    destination text NOT NULL,
    key         text NOT NULL,
    name        text NOT NULL,
    remote_id   text NOT NULL,
    PRIMARY KEY (store_id, destination, key)
);

CREATE TABLE deliveries (
    store_id    bigint NOT NULL,
    destination text NOT NULL,
    person_id   bigint NOT NULL,
    remote_id   text NOT NULL DEFAULT '',
    address     text NOT NULL DEFAULT '',     -- under which the platform knows them: e-mail, or the shop's account
    audiences   text[] NOT NULL DEFAULT '{}', -- confirmed by the platform
    attributes  jsonb NOT NULL DEFAULT '{}',  -- confirmed by the platform
    hash        bytea,                        -- of what was confirmed; null where nothing stands there; '' where unsure
    tried_hash  bytea,                        -- of what was last tried and refused or withheld; '' for leaving
    state       text NOT NULL,
    reason      text NOT NULL DEFAULT '',
    at          timestamptz NOT NULL,
    PRIMARY KEY (store_id, destination, person_id)
);

-- The work list of the push under way.
CREATE TABLE outbox (
    store_id    bigint NOT NULL,
    destination text NOT NULL,
    person_id   bigint NOT NULL,
    address     text NOT NULL,
    audiences   text[] NOT NULL,
    attributes  jsonb NOT NULL,
    hash        bytea,                        -- null: nothing of ours shall stand there
    strays      text[] NOT NULL DEFAULT '{}', -- audiences that an earlier try without an answer may have joined
    stray_keys  text[] NOT NULL DEFAULT '{}', -- attributes that it may have set
    attempts    integer NOT NULL DEFAULT 0,
    job         text NOT NULL DEFAULT '',     -- the pending job it is in
    PRIMARY KEY (store_id, destination, person_id)
);

CREATE TABLE jobs (
    store_id    bigint NOT NULL,
    destination text NOT NULL,
    job         text NOT NULL,
    started_at  timestamptz NOT NULL,
    PRIMARY KEY (store_id, destination, job)
);

CREATE TABLE suppressions (
    store_id    bigint NOT NULL,
    person_id   bigint NOT NULL,
    destination text NOT NULL,                -- where it was noticed; it holds everywhere
    reason      text NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (store_id, person_id, destination)
);

CREATE TABLE holds (
    store_id    bigint NOT NULL,
    destination text NOT NULL,
    key         text NOT NULL,
    name        text NOT NULL,
    before      integer NOT NULL,
    after       integer NOT NULL,
    since       timestamptz NOT NULL,
    PRIMARY KEY (store_id, destination, key)
);

CREATE TABLE pushes (
    store_id    bigint NOT NULL,
    destination text NOT NULL,
    at          timestamptz NOT NULL,
    withheld    jsonb NOT NULL DEFAULT '{}',  -- by reason, of the people the plan itself left out
    PRIMARY KEY (store_id, destination)
);

-- +goose Down
SELECT 1;

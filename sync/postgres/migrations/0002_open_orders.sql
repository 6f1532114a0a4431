-- +goose Up

-- Orders whose lines and refunds come apart and are not settled yet: none, but while a pull is under way.
CREATE INDEX orders_open ON orders (store_id, id) WHERE NOT complete;

ALTER TABLE products ADD COLUMN rating numeric CHECK (rating <> 'NaN');       -- mean of the reviews, as the shop states it
ALTER TABLE products ADD COLUMN ratings integer NOT NULL DEFAULT 0;          -- of how many reviews

-- From when on orders are known; null where the key sees all there are. See visible.go.
ALTER TABLE stores ADD COLUMN visible_since timestamptz;

-- +goose Down
SELECT 1;

-- +goose Up

-- Addresses that said no, beside the people who did: an address may come to somebody else, and what an account said is its
-- address's word too when the account is gone. Whoever gets such an address gets the suppression with it.
CREATE TABLE unsubscribed (
    store_id    bigint NOT NULL,
    address     text NOT NULL,
    destination text NOT NULL,               -- where it was noticed; it holds everywhere
    reason      text NOT NULL,
    at          timestamptz NOT NULL,
    person_id   bigint NOT NULL,             -- who had it then
    PRIMARY KEY (store_id, address, destination)
);
CREATE INDEX unsubscribed_person ON unsubscribed (store_id, person_id);

INSERT INTO unsubscribed
SELECT DISTINCT ON (store_id, address, destination) * FROM (
    SELECT s.store_id, p.email AS address, s.destination, s.reason, s.at, s.person_id
    FROM suppressions s JOIN persons p ON p.store_id = s.store_id AND p.person_id = s.person_id WHERE p.email <> ''
    UNION ALL
    SELECT store_id, email, 'shop', 'unsubscribed', coalesce(consent_at, deleted_at), coalesce(person_id, 0)
    FROM customers WHERE deleted_at IS NOT NULL AND consent = 'unsubscribed' AND email <> ''
    UNION ALL
    SELECT store_id, email, 'shop', 'unsubscribed', coalesce(consent_at, deleted_at), coalesce(person_id, 0)
    FROM orders WHERE deleted_at IS NOT NULL AND consent = 'unsubscribed' AND email <> '') AS said
ORDER BY store_id, address, destination, at DESC;

INSERT INTO suppressions AS s (store_id, person_id, destination, reason, at)
SELECT DISTINCT ON (u.store_id, p.person_id, u.destination) u.store_id, p.person_id, u.destination, u.reason, u.at
FROM unsubscribed u JOIN persons p ON p.store_id = u.store_id AND p.email = u.address
ORDER BY u.store_id, p.person_id, u.destination, u.at DESC
ON CONFLICT (store_id, person_id, destination) DO UPDATE SET reason = excluded.reason, at = excluded.at WHERE s.at < excluded.at;

-- +goose Down
DROP TABLE unsubscribed;

package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"regexp"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/perennial-cvo/perennial/connectors/commerce"
)

// erased knows who was erased, by keyed hashes of customer ids and e-mail addresses. The key stands with the store.
type erased struct {
	key    []byte
	none   bool // nobody was ever erased
	asked  map[string]bool
	people map[string]int64 // of the keys asked, those erased; 0 where the person had no orders
}

func newErased(key []byte, none bool) *erased {
	return &erased{key: key, none: none, asked: map[string]bool{}, people: map[string]int64{}}
}

// customerKey and emailKey are what is hashed; the empty key is nobody's.
func customerKey(id string) string {
	if id == "" {
		return ""
	}
	return "customer " + id
}

func emailKey(email string) string {
	if email = commerce.Email(email); email == "" {
		return ""
	}
	return "email " + email
}

var addresses = regexp.MustCompile(`[\p{L}\p{N}.!#$%&'*+/=?^_{|}~-]+@[\p{L}\p{N}.-]+`)

// keysIn returns the keys of all e-mail addresses in a raw record.
func keysIn(raw []byte) []string {
	var keys []string
	for _, found := range addresses.FindAll(raw, -1) {
		keys = append(keys, emailKey(string(found)))
	}
	return keys
}

func (e *erased) hash(key string) []byte {
	mac := hmac.New(sha256.New, e.key)
	_, _ = mac.Write([]byte(key)) // a hash never fails
	return mac.Sum(nil)
}

// ask looks keys up, so that person can tell.
func (e *erased) ask(ctx context.Context, tx *sqlx.Tx, store int64, keys []string) error {
	if e.none {
		return nil
	}
	byHash := map[string]string{}
	var hashes pq.ByteaArray
	for _, key := range keys {
		if key == "" || e.asked[key] {
			continue
		}
		e.asked[key] = true
		hash := e.hash(key)
		byHash[string(hash)] = key
		hashes = append(hashes, hash)
	}
	if len(hashes) == 0 {
		return nil
	}
	rows, err := tx.QueryxContext(ctx, `SELECT key_hash, person_id FROM tombstones WHERE store_id = $1 AND key_hash = ANY($2)`,
		store, hashes)
	if err != nil {
		return fmt.Errorf("tombstones: %w", err)
	}
	defer func() { _ = rows.Close() }() // reading
	for rows.Next() {
		var hash []byte
		var person sql.NullInt64
		if err := rows.Scan(&hash, &person); err != nil {
			return fmt.Errorf("tombstones: %w", err)
		}
		e.people[byHash[string(hash)]] = person.Int64
	}
	return rows.Err()
}

// person reports whether whoever has this customer id or address was erased, and returns the nameless person to whom
// their amounts belong. The keys must have been asked.
func (e *erased) person(customer, email string) (int64, bool) {
	for _, key := range []string{customerKey(customer), emailKey(email)} {
		if person, ok := e.people[key]; ok && key != "" {
			return person, true
		}
	}
	return 0, false
}

// knows reports whether an account itself was erased. It must have been asked for.
func (e *erased) knows(customer string) bool {
	_, ok := e.people[customerKey(customer)]
	return ok
}

// mentions reports whether a raw record holds the address of someone erased. The addresses must have been asked.
func (e *erased) mentions(raw []byte) bool {
	if e.none {
		return false
	}
	for _, key := range keysIn(raw) {
		if _, ok := e.people[key]; ok && key != "" {
			return true
		}
	}
	return false
}

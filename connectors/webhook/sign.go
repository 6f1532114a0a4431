package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/perennial-cvo/perennial/config/secret"
)

// The headers of Standard Webhooks 1.0.0, as net/http writes them.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// secretPrefix stands before a secret in base64.
const secretPrefix = "whsec_"

// The sizes of a key in bytes that the convention allows.
const (
	shortestKey = 24
	longestKey  = 64
)

// signer signs requests, anew at each attempt: the time of the attempt is part of what is signed, and receivers refuse
// what is older than a few minutes.
type signer struct {
	keys [][]byte
	now  func() time.Time
}

func newSigner(s settings, now func() time.Time) (signer, error) {
	all := signer{now: now}
	for _, given := range []struct {
		name string
		text secret.Text
	}{{"secret", s.Secret}, {"previous_secret", s.PreviousSecret}} {
		if given.text.IsZero() {
			continue
		}
		key, err := parseKey(given.text.Reveal())
		if err != nil {
			return signer{}, fmt.Errorf("setting %q: %w", given.name, err)
		}
		all.keys = append(all.keys, key)
	}
	return all, nil
}

// parseKey reads a secret as the convention writes it. Its text is not repeated in errors.
func parseKey(text string) ([]byte, error) {
	const remedy = "make one by: echo whsec_$(openssl rand -base64 32)"
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), secretPrefix)
	if !ok {
		return nil, errors.New("it does not begin with " + secretPrefix + "; " + remedy)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("what follows " + secretPrefix + " is not base64; " + remedy)
	}
	if len(key) < shortestKey || len(key) > longestKey {
		return nil, fmt.Errorf("it has %d bytes, %d to %d are needed; %s", len(key), shortestKey, longestKey, remedy)
	}
	return key, nil
}

// sign puts time and signatures on a request that has its id.
func (s signer) sign(r *http.Request) error {
	var body []byte
	if r.GetBody != nil {
		reader, err := r.GetBody()
		if err != nil {
			return fmt.Errorf("signature: %w", err)
		}
		if body, err = io.ReadAll(reader); err != nil {
			return fmt.Errorf("signature: %w", err)
		}
	}
	at := strconv.FormatInt(s.now().Unix(), 10)
	signatures := make([]string, len(s.keys))
	for i, key := range s.keys {
		signatures[i] = signature(key, r.Header.Get(headerID), at, body)
	}
	r.Header.Set(headerTimestamp, at)
	r.Header.Set(headerSignature, strings.Join(signatures, " "))
	return nil
}

// signature is the HMAC-SHA256 of id, time and body, with full stops between them.
func signature(key []byte, id, at string, body []byte) string {
	sum := hmac.New(sha256.New, key)
	_, _ = sum.Write([]byte(id + "." + at + ".")) // never fails
	_, _ = sum.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(sum.Sum(nil))
}

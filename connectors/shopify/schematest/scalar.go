package schematest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	globalID = regexp.MustCompile(`^gid://[A-Za-z0-9-]+/[A-Za-z0-9_]+/\S+$`)
	decimal  = regexp.MustCompile(`^-?\d+(\.\d+)?$`)
	unsigned = regexp.MustCompile(`^\d+$`)
	whole    = regexp.MustCompile(`^-?\d+$`)
	colour   = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)
	offset   = regexp.MustCompile(`^[+-]\d\d:\d\d$`)
)

// textFault says why a text is not a value of a scalar that is written as text: mismatch where Shopify gives no words of
// its own, nothing where it is one.
func textFault(scalar, text string) string {
	switch scalar {
	case "ID":
		if !globalID.MatchString(text) {
			return fmt.Sprintf("Invalid global id '%s'", text)
		}
	case "DateTime":
		if _, err := time.Parse(time.RFC3339, text); err != nil && !isDate(text) {
			return fmt.Sprintf("invalid DateTime '%s'", text)
		}
	case "Date":
		return unless(isDate(text))
	case "Decimal", "Money":
		return unless(decimal.MatchString(text))
	case "UnsignedInt64":
		return unless(unsigned.MatchString(text))
	case "BigInt":
		return unless(whole.MatchString(text))
	case "URL":
		_, err := url.Parse(text)
		return unless(err == nil)
	case "Color":
		return unless(colour.MatchString(text))
	case "UtcOffset":
		return unless(offset.MatchString(text))
	case "Boolean", "Int", "Float":
		return mismatch
	}
	return ""
}

func isDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

// isNumberFor says whether a number may be given for a scalar.
func isNumberFor(scalar, number string) bool {
	switch scalar {
	case "Int":
		return isInt32(number)
	case "Float", "Decimal", "Money", "JSON":
		return true
	case "UnsignedInt64":
		return unsigned.MatchString(number)
	case "BigInt":
		return whole.MatchString(number)
	}
	return false
}

func isInt32(number string) bool {
	_, err := strconv.ParseInt(number, 10, 32)
	return err == nil
}

// answerFault says why a JSON value is not what Shopify answers for a scalar; empty where it is.
func answerFault(scalar string, value any) string {
	switch v := value.(type) {
	case bool:
		if scalar == "Boolean" || scalar == "JSON" {
			return ""
		}
	case json.Number:
		if scalar == "JSON" || scalar == "Float" || scalar == "Int" && isInt32(v.String()) {
			return ""
		}
	case string:
		if scalar == "ID" { // some objects have ids that are not global ones
			if v == "" {
				return "an empty text is no ID"
			}
			return ""
		}
		if scalar == "DateTime" {
			if _, err := time.Parse(time.RFC3339, v); err != nil {
				return "a text that is no DateTime"
			}
			return ""
		}
		if textFault(scalar, v) == "" {
			return ""
		}
		return "a text that is no " + scalar
	default:
		if scalar == "JSON" {
			return ""
		}
	}
	return fmt.Sprintf("%s instead of %s", kindOf(value), scalar)
}

// kindOf names what a JSON value is.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a truth value"
	case json.Number:
		return "a number"
	case string:
		return "a text"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

// decodeNumbers decodes JSON and keeps numbers as they are written.
func decodeNumbers(raw []byte, target any) error {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(target); err != nil {
		return err
	}
	if decoder.More() || strings.TrimSpace(string(raw[decoder.InputOffset():])) != "" {
		return fmt.Errorf("more than one JSON value")
	}
	return nil
}

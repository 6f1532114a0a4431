package shopifytest

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// metafieldTypes are those that the fake checks values of.
var metafieldTypes = []string{
	"boolean", "date", "date_time", "id", "json", "money", "multi_line_text_field", "number_decimal", "number_integer", "rating",
	"single_line_text_field", "url", "list.single_line_text_field", "list.number_integer", "list.number_decimal", "list.date", "list.date_time",
}

var (
	integerValue = regexp.MustCompile(`^-?\d{1,16}$`)
	decimalValue = regexp.MustCompile(`^-?\d+(\.\d+)?$`)
)

var most = decimal.RequireFromString("9999999999999.999999999")

// wholeValue is where a complaint is not about one element of a list.
const wholeValue = -1

// complain is what the shop says to a value that does not fit its type, "" where it does, and to which element of a list.
func complain(typ, value string) (complaint string, element int) {
	if of, ok := strings.CutPrefix(typ, "list."); ok {
		return listComplaint(of, value)
	}
	return valueComplaint(typ, value), wholeValue
}

func valueComplaint(typ, value string) string {
	if strings.TrimSpace(value) == "" {
		return "Value can't be blank."
	}
	switch typ {
	case "number_integer":
		if !integerValue.MatchString(value) {
			return "Value must be an integer."
		}
	case "number_decimal":
		return decimalComplaint(value)
	case "boolean":
		if value != "true" && value != "false" {
			return "Value must be true or false."
		}
	case "date":
		if _, err := time.Parse(time.DateOnly, value); err != nil {
			return "Value must be in YYYY-MM-DD format."
		}
	case "date_time":
		if !isMoment(value) {
			return "Value must be in “YYYY-MM-DDTHH:MM:SS” format. For example: 2022-06-01T15:30:00"
		}
	case "single_line_text_field", "id":
		if strings.ContainsAny(value, "\r\n") {
			return "Value must be a single line text string."
		}
	case "json":
		if !json.Valid([]byte(value)) {
			return "Value is invalid JSON."
		}
	case "url":
		if !strings.Contains(value, ":") {
			return "Value cannot have an empty scheme (protocol), must include one of the following URL schemes: [\"http\", \"https\", \"mailto\", \"sms\", \"tel\"].'"
		}
	case "rating":
		return ratingComplaint(value)
	case "money":
		return moneyComplaint(value)
	}
	return ""
}

func isMoment(value string) bool {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if _, err := time.Parse(layout, value); err == nil {
			return true
		}
	}
	return false
}

func decimalComplaint(value string) string {
	d, err := decimal.NewFromString(value)
	switch {
	case err != nil || !decimalValue.MatchString(value):
		return "Value must be a decimal."
	case d.Abs().GreaterThan(most):
		return "Value can't exceed 9999999999999."
	}
	return ""
}

func ratingComplaint(value string) string {
	var r struct {
		Value string `json:"value"`
		Min   string `json:"scale_min"`
		Max   string `json:"scale_max"`
	}
	bad := json.Unmarshal([]byte(value), &r)
	v, err := decimal.NewFromString(r.Value)
	low, err2 := decimal.NewFromString(r.Min)
	high, err3 := decimal.NewFromString(r.Max)
	switch {
	case bad != nil || err != nil || err2 != nil || err3 != nil:
		return "Value must be a valid rating."
	case v.GreaterThan(high):
		return "Value has a maximum of " + r.Max + "."
	case v.LessThan(low):
		return "Value has a minimum of " + r.Min + "."
	}
	return ""
}

func moneyComplaint(value string) string {
	var m struct {
		Amount   json.Number `json:"amount"`
		Currency string      `json:"currency_code"`
	}
	if json.Unmarshal([]byte(value), &m) != nil || m.Currency == "" {
		return "Value must be a stringified JSON object with amount (numeric) and currency_code (string matching the shop's currency) fields."
	}
	return ""
}

func listComplaint(of, value string) (complaint string, element int) {
	var all []any
	if json.Unmarshal([]byte(value), &all) != nil {
		return "Value must be an array.", wholeValue
	}
	if len(all) > 128 {
		return "Value has more than 128 elements.", wholeValue
	}
	for i, element := range all {
		text, ok := element.(string)
		if !ok {
			raw, _ := json.Marshal(element) //nolint:errcheck // it was JSON
			text = string(raw)
		}
		if complaint := valueComplaint(of, text); complaint != "" {
			return complaint, i
		}
	}
	return "", wholeValue
}

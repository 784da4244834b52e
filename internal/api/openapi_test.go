package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A contract is the OpenAPI document as clients see it.
type contract struct{ paths, schemas object }

func newContract(t testing.TB, h *Handler) contract {
	t.Helper()
	text, err := json.Marshal(h.document())
	if err != nil {
		t.Fatal(err)
	}
	var document object
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	return contract{document["paths"].(object), document["components"].(object)["schemas"].(object)}
}

func (c contract) operation(address, method string) object {
	item, _ := c.paths[address].(object)
	op, _ := item[strings.ToLower(method)].(object)
	return op
}

// check compares a response with the document. All tests of this package do this
// for every response.
func (c contract) check(t testing.TB, address string, r reply) {
	t.Helper()
	method := r.Request.Method
	op := c.operation(address, method)
	if op == nil || r.text == "" || method == "OPTIONS" || r.StatusCode >= 300 && r.StatusCode < 400 {
		return
	}
	kind, status := "application/json", "2XX"
	if r.StatusCode >= 400 {
		kind, status = "application/problem+json", "default"
	}
	if got := r.Header.Get("Content-Type"); got != kind {
		t.Errorf("%s %s: %d of type %s", method, address, r.StatusCode, got)
	}
	said := op["responses"].(object)[status].(object)["content"].(object)[kind].(object)["schema"].(object)
	var value any
	if err := json.Unmarshal([]byte(r.text), &value); err != nil {
		t.Errorf("%s %s: %v", method, address, err)
	}
	for _, wrong := range c.mismatches("", value, said) {
		t.Errorf("%s %s answers other than the document says: %s", method, address, wrong)
	}
}

// mismatches lists where a value doesn't match a schema. Undocumented members
// count, because the document must be complete.
func (c contract) mismatches(at string, value any, schema object) []string {
	if ref, ok := schema["$ref"].(string); ok {
		return c.mismatches(at, value, c.schemas[strings.TrimPrefix(ref, "#/components/schemas/")].(object))
	}
	wrong := func(format string, args ...any) []string { return []string{at + ": " + fmt.Sprintf(format, args...)} }
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, value) {
		return wrong("%v is none of %v", value, enum)
	}
	switch v := value.(type) {
	case string:
		if _, err := time.Parse(time.RFC3339, v); schema["format"] == "date-time" && err != nil {
			return wrong("%v", err)
		}
		if schema["type"] != "string" {
			return wrong("a string, not %v", schema["type"])
		}
	case bool:
		if schema["type"] != "boolean" {
			return wrong("a boolean, not %v", schema["type"])
		}
	case float64:
		if schema["type"] != "number" && (schema["type"] != "integer" || v != float64(int64(v))) {
			return wrong("%v, not %v", v, schema["type"])
		}
	case []any:
		if schema["type"] != "array" {
			return wrong("an array, not %v", schema["type"])
		}
		var all []string
		for i, item := range v {
			all = append(all, c.mismatches(fmt.Sprintf("%s[%d]", at, i), item, schema["items"].(object))...)
		}
		return all
	case object:
		return c.membersOf(at, v, schema)
	default:
		return wrong("%v", value)
	}
	return nil
}

func (c contract) membersOf(at string, v, schema object) []string {
	if schema["type"] != "object" {
		return []string{fmt.Sprintf("%s: an object, not %v", at, schema["type"])}
	}
	var all []string
	properties, _ := schema["properties"].(object)
	for name, member := range v {
		if known, ok := properties[name].(object); ok {
			all = append(all, c.mismatches(at+"."+name, member, known)...)
		} else if schema["additionalProperties"] != true {
			all = append(all, at+": no "+name+" in the schema")
		}
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok {
			all = append(all, fmt.Sprintf("%s: lacks %v", at, name))
		}
	}
	return all
}

// A contract that accepts everything would prove nothing.
func TestContractRefuses(t *testing.T) {
	c := contract{schemas: object{"T": object{"type": "object", "required": []any{"a"}, "properties": object{
		"a": object{"type": "integer"}, "l": object{"type": "array", "items": object{"type": "string", "enum": []any{"x"}}}, "t": object{"type": "string", "format": "date-time"},
	}}}}
	for text, want := range map[string]bool{
		`{"a":1}`: true, `{"a":1,"l":["x"],"t":"2026-11-24T10:00:00Z"}`: true,
		`{}`: false, `{"a":1.5}`: false, `{"a":"1"}`: false, `{"a":null}`: false, `{"a":1,"b":2}`: false, `{"a":1,"l":["y"]}`: false, `{"a":1,"l":{}}`: false,
		`{"a":1,"t":"today"}`: false, `[]`: false, `{"a":true}`: false,
	} {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if got := c.mismatches("", value, object{"$ref": "#/components/schemas/T"}); (len(got) == 0) != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// bodyOf returns the schema of a route's request body and its required members, or
// nil.
func (c contract) bodyOf(op object) (properties object, needs []any) {
	body, ok := op["requestBody"].(object)
	if !ok {
		return nil, nil
	}
	schema := body["content"].(object)["application/json"].(object)["schema"].(object)
	if all, ok := schema["allOf"].([]any); ok {
		needs = schema["required"].([]any)
		schema = all[0].(object)
	}
	named := c.schemas[strings.TrimPrefix(schema["$ref"].(string), "#/components/schemas/")].(object)
	return named["properties"].(object), needs
}

// TestDocument checks that the OpenAPI document has exactly the existing routes,
// that handlers read every documented body member, and that leaving out a required
// one fails. The other tests of this package compare responses with it.
func TestDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := w.want(200, w.manage("", "GET", "/openapi.json", nil))
	if doc.string("openapi") != "3.1.0" {
		t.Errorf("version %q", doc.string("openapi"))
	}
	bob := w.personal("bob", false)
	documented := 0
	try := func(address, method string, whole any, send func(body any) reply) {
		t.Helper()
		op := w.contract.operation(address, method)
		if op == nil || op["summary"] == "" {
			t.Errorf("no %s %s in the document", method, address)
			return
		}
		documented++
		properties, needs := w.contract.bodyOf(op)
		for name := range properties {
			if got := send(object{name: nil}); got.StatusCode == 400 {
				t.Errorf("%s %s does not read %q: %s", method, address, name, got.text)
			}
		}
		if got := send(object{"nonsense": 1}); properties != nil && got.StatusCode != 400 {
			t.Errorf("%s %s takes what it does not know: %d", method, address, got.StatusCode)
		}
		for _, name := range needs {
			body := object{}
			for key, value := range whole.(object) {
				if key != name {
					body[key] = value
				}
			}
			if got := send(body); got.StatusCode != 422 {
				t.Errorf("%s %s does not miss %v: %d %s", method, address, name, got.StatusCode, got.text)
			}
		}
	}
	for _, r := range Routes {
		cell := matrix[r.Method+" "+r.Pattern]
		try(prefix+r.Pattern, r.Method, cell.body, func(body any) reply { return w.send("ada/owner", r.Method, "ada", cell.path, body) })
	}
	for _, r := range ManageRoutes {
		cell := manageMatrix[r.Method+" "+r.Pattern]
		try("/api"+r.Pattern, r.Method, cell.body, func(body any) reply {
			return w.manage(bob, r.Method, strings.ReplaceAll(cell.path, "{slug}", "bob"), body)
		})
	}
	if n := len(operations); documented != n {
		t.Errorf("%d operations for %d routes", n, documented)
	}
}

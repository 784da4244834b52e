package api

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/wiki"
)

// schemas holds the JSON schemas (2020-12, as in OpenAPI 3.1) of the types that
// handlers read and write, by name. They are generated from the types, so the
// document always agrees with the encoder.
type schemas map[string]object

// schemaOf returns the schema of a type; named structs become references. strict
// is for request bodies: unknown members are rejected, and only the route says
// which ones are required.
func (s schemas) schemaOf(t reflect.Type, strict bool) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[[]byte]():
		return object{"type": "string", "contentEncoding": "base64"}
	case t == reflect.TypeFor[wiki.ChangeKind]():
		return object{"type": "string", "enum": []any{wiki.Added, wiki.Modified, wiki.Deleted, wiki.Moved}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.schemaOf(t.Elem(), strict)
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": "array", "items": s.schemaOf(t.Elem(), strict)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": true}
	case reflect.Struct:
		return s.named(t, strict)
	}
	return object{"type": "string"}
}

func (s schemas) named(t reflect.Type, strict bool) object {
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	if _, known := s[name]; !known {
		s[name] = object{} // the type may contain itself
		properties, required := object{}, []string{}
		s.members(t, strict, false, properties, &required)
		schema := object{"type": "object", "properties": properties}
		if strict {
			schema["additionalProperties"] = false
		} else {
			schema["required"] = required
		}
		s[name] = schema
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// members adds the members of a struct and its embedded structs, as encoding/json
// writes them.
func (s schemas) members(t reflect.Type, strict, optional bool, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Pointer:
			s.members(f.Type.Elem(), strict, true, properties, required)
		case f.Anonymous && name == "":
			s.members(f.Type, strict, optional, properties, required)
		default:
			properties[name] = s.schemaOf(f.Type, strict)
			if !optional && !strings.Contains(options, "omit") {
				*required = append(*required, name)
			}
		}
	}
}

// memberNames returns the JSON member names of the struct that v points to.
func memberNames(v any) []string {
	properties, required := object{}, []string{}
	schemas{}.members(reflect.TypeOf(v).Elem(), true, false, properties, &required)
	return slices.Sorted(maps.Keys(properties))
}

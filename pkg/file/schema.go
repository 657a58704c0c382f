package file

import (
	"maps"
	"reflect"
	"regexp"
)

// Text is what the text of a [Parser] looks like.
type Text struct {
	// Words are for the reference, as "address with prefix length".
	Words string
	// Enum lists all texts there are, and Pattern is a regular expression for them; neither need be given.
	Enum    []string
	Pattern string
	// Types are the types of JSON that may stand for it; a string, when there are none.
	Types []string
}

// Described is a [Parser] that says what its text looks like.
type Described interface {
	Text() Text
}

// object is a JSON object.
type object = map[string]any

// Schema is the JSON Schema (draft 2020-12) of the mapping that stands for a struct; v has the defaults.
func Schema(v any) map[string]any {
	s := addressable(v)
	schema := mappingSchema(typeOf(s.Type()), s)
	schema["$schema"], schema["type"] = "https://json-schema.org/draft/2020-12/schema", "object"
	return schema
}

func mappingSchema(t *typ, v reflect.Value) object {
	properties, required := object{}, []string{}
	each(t, v, func(to target) bool {
		p := schemaOf(to)
		if to.doc != "" {
			p["description"] = to.doc
		}
		if properties[to.key] = p; to.required != "" {
			required = append(required, to.key)
		}
		return true
	})
	s := object{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	if patterns := ignoredPatterns(t, v); len(patterns) > 0 {
		s["patternProperties"] = patterns
	}
	if unions := unionSchemas(t, v); len(unions) == 1 {
		s["oneOf"] = unions[0]["oneOf"]
	} else if len(unions) > 1 {
		s["allOf"] = unions
	}
	return s
}

func ignoredPatterns(t *typ, v reflect.Value) object {
	patterns := object{}
	for _, beginning := range t.ignored {
		patterns["^"+regexp.QuoteMeta(beginning)] = true
	}
	inner(t, v, func(t *typ, v reflect.Value) { maps.Copy(patterns, ignoredPatterns(t, v)) })
	return patterns
}

// unionSchemas says of each union of a mapping that only one of its keys may stand there.
func unionSchemas(t *typ, v reflect.Value) (schemas []object) {
	for i := range t.fields {
		f := &t.fields[i]
		if f.typ.shape != union {
			continue
		}
		var keys []object
		each(f.typ, v.Field(f.index), func(to target) bool {
			keys = append(keys, object{"type": "object", "required": []string{to.key}})
			return true
		})
		if f.required == "" {
			keys = append(keys, object{"not": object{"anyOf": keys[:len(keys):len(keys)]}})
		}
		schemas = append(schemas, object{"oneOf": keys})
	}
	inner(t, v, func(t *typ, v reflect.Value) { schemas = append(schemas, unionSchemas(t, v)...) })
	return schemas
}

func schemaOf(to target) object {
	switch to.typ.shape {
	case mapping, parts:
		s := mappingSchema(to.typ, to.v)
		if to.typ.short != nil {
			s["type"] = "object"
			return object{"anyOf": []object{textSchema(to.alone()), s}}
		}
		return s
	case list:
		return object{"type": []string{"array", "null"}, "items": schemaOf(to.element())}
	case table:
		s := object{"type": []string{"object", "null"}, "additionalProperties": schemaOf(to.element())}
		if names := textSchema(to.name()); len(names) > 1 {
			s["propertyNames"] = names
		}
		return s
	}
	s := textSchema(to)
	if v := to.v.Interface(); to.required == "" && to.hasDefault() {
		if s["default"] = v; to.typ.parser {
			s["default"] = textOf(to.v)
		}
	}
	return s
}

// hasDefault says whether a single value is one where the file leaves it out, which false is too.
func (t target) hasDefault() bool { return t.v.Kind() == reflect.Bool && !t.typ.flag || !t.v.IsZero() }

// element is a fresh item of a list, or value of a Map. What is required of the list is not so of its items.
func (t target) element() target {
	item := t.freshItem()
	items := *t.rule
	items.required = "yes"
	item.rule = &items
	return item
}

// name is a fresh key of a Map.
func (t target) name() target {
	return target{rule: &rule{required: "yes"}, typ: t.typ.key, v: reflect.New(t.v.Type().Elem().Field(0).Type).Elem()}
}

// textSchema is the schema of a single value.
func textSchema(to target) object {
	text := to.text()
	s := object{"type": "string"}
	switch {
	case to.typ.flag:
		return object{"enum": []any{true, "yes", "on", object{}}}
	case len(text.Types) > 0:
		s["type"] = text.Types
	case to.v.Kind() == reflect.Bool:
		s = object{"enum": []any{true, false, "yes", "no", "on", "off"}}
	case to.v.CanInt() || to.v.CanUint():
		least, most := to.bounds()
		s["type"], s["minimum"], s["maximum"] = "integer", least, most
	}
	if len(text.Enum) > 0 {
		s["enum"] = text.Enum
	}
	if text.Pattern != "" {
		s["pattern"] = text.Pattern
	}
	return s
}

// text is what the text of a single value looks like.
func (t target) text() Text {
	if d, ok := t.v.Addr().Interface().(Described); ok {
		return d.Text()
	}
	return Text{Enum: t.enum}
}

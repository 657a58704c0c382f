package plan

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// CheckType says why [Compare] would panic on objects of a type, or miss a difference; nil when neither can be. Held
// are the types that fields of interface type may hold. What belongs to the key, and so needs no tag, stands directly
// in the object's struct.
func CheckType(object reflect.Type, held ...reflect.Type) error {
	if object.Kind() != reflect.Struct {
		return fmt.Errorf("%s is no struct", object)
	}
	names := make(map[string]bool)
	problems := checkStruct(object, true, names)
	for _, t := range held {
		if why := notByValue(t); why != "" {
			problems = append(problems, fmt.Errorf("%s %s", t, why))
		} else if t.Kind() == reflect.Struct {
			problems = append(problems, checkStruct(t, false, maps.Clone(names))...)
		}
	}
	return errors.Join(problems...)
}

// checkStruct checks the fields of a struct. Keyed says that some may belong to the key. Names are those of attributes
// so far.
func checkStruct(t reflect.Type, keyed bool, names map[string]bool) (problems []error) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("plan")
		var why string
		switch {
		case tagged:
			why = checkTag(f, tag, names)
		case f.Type == reflect.TypeFor[Fields]():
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			problems = append(problems, checkStruct(f.Type, false, names)...)
		case !keyed || f.Type.Kind() == reflect.Interface:
			why = "has no tag"
		default:
			why = notByValue(f.Type)
		}
		if why != "" {
			problems = append(problems, fmt.Errorf("%s.%s %s", t, f.Name, why))
		}
	}
	return problems
}

// checkTag says what is wrong with an attribute.
func checkTag(f reflect.StructField, tag string, names map[string]bool) string {
	words := strings.Split(tag, ",")
	name := words[0]
	repeated := names[name]
	names[name] = true
	for _, option := range words[1:] {
		switch {
		case !slices.Contains([]string{"fixed", "swap", "quiet", "same", "state"}, option):
			return fmt.Sprintf("has the unknown option %q", option)
		case option == "swap" && !slices.Contains(words[1:], "fixed"):
			return "has the option swap, and is not fixed"
		case option == "same" && f.Type.Kind() != reflect.Interface:
			return "has the option same, and is of no interface type"
		}
	}
	switch {
	case !f.IsExported():
		return "has a tag, and is not exported"
	case name == "":
		return "has a tag without a name"
	case repeated:
		return fmt.Sprintf("is a second attribute of the name %q", name)
	case f.Type == reflect.TypeFor[Fields]():
		return "has a tag, and is no attribute"
	}
	return notByValue(f.Type)
}

// notByValue says why == on a type panics, or compares addresses. What is not exported is its package's to see to.
func notByValue(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Chan, reflect.UnsafePointer:
		return "is compared by its address"
	case reflect.Array:
		return notByValue(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() {
				if why := notByValue(f.Type); why != "" {
					return why
				}
			}
		}
	}
	if !t.Comparable() {
		return "cannot be compared"
	}
	return ""
}

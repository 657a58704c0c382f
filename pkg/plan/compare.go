package plan

import (
	"fmt"
	"reflect"
	"strings"
)

// Compare lists the attributes in which have differs from want, as far as want manages them. Fixed says that one of
// them can't be changed in place. Objects of different types differ in everything.
func Compare(want, have Object) (fields []Field, fixed bool) {
	if want == have {
		return nil, false
	}
	w, h := reflect.ValueOf(want), reflect.ValueOf(have)
	if w.Type() != h.Type() {
		return []Field{{Name: "type", Before: fmt.Sprintf("%T", have), After: fmt.Sprintf("%T", want)}}, true
	}
	for i := range w.NumField() {
		if w.Field(i).Equal(h.Field(i)) { // asked first: this is where the time of a large plan goes
			continue
		}
		tag, tagged := w.Type().Field(i).Tag.Lookup("plan")
		if !tagged {
			continue
		}
		before, after, differ := compareValues(w.Field(i).Interface(), h.Field(i).Interface())
		if !differ {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		fixed = fixed || option == "fixed"
		fields = append(fields, Field{Name: name, Before: before, After: after, Quiet: option == "quiet"})
	}
	return fields, fixed
}

func compareValues(want, have any) (before, after string, differ bool) {
	if w, ok := want.(opt); ok {
		wv, managed := w.managed()
		hv, known := have.(opt).managed()
		if !managed || known && wv == hv {
			return "", "", false
		}
		if !known {
			return "unknown", format(wv), true
		}
		return format(hv), format(wv), true
	}
	return format(have), format(want), want != have
}

// format writes a value as people read it: "yes" for true, "none" for nothing.
func format(v any) string {
	switch v := v.(type) {
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case fmt.Stringer:
		if reflect.ValueOf(v).IsZero() {
			return "none"
		}
	}
	if s := fmt.Sprint(v); s != "" {
		return s
	}
	return "none"
}

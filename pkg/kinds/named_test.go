package kinds_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
)

// allowed are the places that may name a kind all the same, each with its reason: at most ten.
var allowed = map[string]string{
	`plan/text.go: "altname"`: "it is called like a link, and so is a place",
	`plan/text.go: "offload"`: "as of an address", `plan/text.go: "neighbor"`: "as of an address",
	`plan/text.go: "address"`: "a key alone must tell that it begins with a link's name, and so is a place",
}

// TestNamedOnce: packages that serve all kinds name none of them, but for namespaces and links, which all stand on.
func TestNamedOnce(t *testing.T) {
	var names []string
	for _, row := range kinds.Table() {
		if row.Name != object.KindNamespace && row.Name != object.KindLink {
			names = append(names, row.Name)
		}
	}
	for _, row := range link.Types {
		names = append(names, row.Name)
	}
	if len(allowed) > 10 {
		t.Errorf("%d places are allowed to name a kind", len(allowed))
	}
	used := make(map[string]bool)
	for _, pkg := range []string{"plan", "topology", "reconcile"} {
		files, err := filepath.Glob(filepath.Join("..", pkg, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			for _, found := range namesIn(t, file, names) {
				if used[found] = true; allowed[found] == "" {
					t.Error(found)
				}
			}
		}
	}
	for place := range allowed {
		if !used[place] {
			t.Errorf("%s is allowed to name a kind, and names none", place)
		}
	}
}

// namesIn lists where a file names a kind: by a string, by a tag, or by its Go type.
func namesIn(t *testing.T, file string, names []string) (found []string) {
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file)
	note := func(what string) { found = append(found, fmt.Sprintf("%s: %s", base, what)) }
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			if n.Tag != nil && slices.ContainsFunc(names, func(name string) bool { return tagHas(n.Tag.Value, name) }) {
				note(n.Tag.Value)
			}
			return n.Tag == nil
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && slices.Contains(names, text) {
				note(n.Value)
			}
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			if ok && concrete(pkg.Name, n.Sel.Name) {
				note(pkg.Name + "." + n.Sel.Name)
			}
		}
		return true
	})
	return found
}

// tagHas says whether a tag has a word.
func tagHas(tag, word string) bool {
	return slices.Contains(strings.FieldsFunc(tag, func(r rune) bool { return strings.ContainsRune("`\",:= |", r) }), word)
}

// concrete says whether a selector is of one kind or type of link, and not of all: the table alone is that of all.
func concrete(pkg, name string) bool {
	return pkg == "kinds" && name != "Table" && name != "Of" && name != "Namespace" ||
		pkg == "link" && name != "Link" && name != "Types" && name != "Finish"
}

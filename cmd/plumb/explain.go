package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/plumbnet/plumb/pkg/file"
	"github.com/plumbnet/plumb/pkg/topology"
)

// explainFormat names the JSON form of what explain prints.
const explainFormat = "plumb/explain/v1"

func (e *env) schema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of a topology file",
		Long: `schema prints the JSON Schema (draft 2020-12) of a topology file. Editors complete and check
files by it. It sees less than validate does: not, for example, whether a gateway can be reached.`,
		Example: `  plumb schema > topology.schema.json
  # and as the first line of topology.yaml, for editors with yaml-language-server:
  # yaml-language-server: $schema=topology.schema.json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			enc := json.NewEncoder(e.stdout)
			enc.SetIndent("", "  ")
			enc.SetEscapeHTML(false)
			return printed(enc.Encode(topology.Schema()))
		},
	}
}

func (e *env) explain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [KEY]",
		Short: "Explain a key of a topology file",
		Long: `explain says what a key of a topology file is for, what its value looks like, what it is when
the file leaves it out, and which keys stand below it. The names that you choose yourself can be
left out: interfaces.mtu is interfaces.eth0.mtu. A key alone is looked for everywhere. Without KEY
it lists the keys of the top level.`,
		Example: `  plumb explain
  plumb explain interfaces.vxlan.id
  plumb explain masquerade
  plumb explain routes -o json | jq -r '.keys[].path'`,
		ValidArgsFunction: completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(cmd, errors.New("explain takes one KEY, as interfaces.vxlan.id"))
			}
			ref := reference(topology.Words())
			if len(args) == 0 {
				return e.printExplained(explained{Keys: ref.below("")})
			}
			found := ref.find(args[0])
			if len(found) == 0 {
				return usage(cmd, ref.unknown(args[0]))
			}
			if len(found) > 1 {
				return e.printExplained(explained{Keys: found})
			}
			return e.printExplained(explained{Word: found[0], Keys: ref.below(found[0].Path)})
		},
	}
}

// reference is what can be told of the keys of a topology, those of the host first.
type reference []file.Word

// explained is a key with those below it, or a list of keys.
type explained struct {
	Format string `json:"format"`
	file.Word
	Keys []file.Word `json:"keys,omitempty"`
}

// chosen stands in a path for a name that the file's author chooses.
const chosen = "NAME"

// segments splits a path. The brackets of a list say nothing: routes[].via is routes.via.
func segments(path string) []string {
	return strings.Split(strings.ReplaceAll(path, "[]", ""), ".")
}

// below lists the keys right below a path; below the empty one are those of the top level.
func (ref reference) below(path string) (keys []file.Word) {
	for _, w := range ref {
		if key := beneath(w.Path, path); key != "" && !strings.ContainsAny(key, ".[") {
			keys = append(keys, w)
		}
	}
	return keys
}

// beneath is the rest of a path that leads on from another one; empty where it does not.
func beneath(path, from string) string {
	if from == "" {
		return path
	}
	rest, ok := strings.CutPrefix(path, from)
	rest = strings.TrimPrefix(rest, "[]")
	if !ok || !strings.HasPrefix(rest, ".") {
		return ""
	}
	return strings.TrimPrefix(rest[1:], chosen+".")
}

// find looks for a key by its path, or else everywhere for those whose path ends so. What a namespace has as the host
// does is only told of the host.
func (ref reference) find(path string) (found []file.Word) {
	typed := segments(path)
	for _, w := range ref {
		if fits(segments(w.Path), typed) {
			return []file.Word{w}
		}
	}
	seen := make(map[string]bool)
	for _, w := range ref {
		at := segments(w.Path)
		own := strings.Join(at, ".")
		if own = strings.TrimPrefix(own, "namespaces."+chosen+"."); seen[own] {
			continue
		}
		for i := range at {
			if fits(at[i:], typed) {
				found, seen[own] = append(found, w), true
				break
			}
		}
	}
	return found
}

// fits says whether a path can have been typed so: in place of NAME stands any name, or nothing.
func fits(path, typed []string) bool {
	switch {
	case len(path) == 0 || len(typed) == 0:
		return len(path) == len(typed)
	case path[0] == chosen && fits(path[1:], typed):
		return true
	case path[0] != chosen && path[0] != typed[0]:
		return false
	}
	return fits(path[1:], typed[1:])
}

// last is the key itself that a path leads to.
func last(path string) string {
	at := segments(path)
	return at[len(at)-1]
}

// unknown is the error for what is no key, which names one that may be meant.
func (ref reference) unknown(path string) error {
	var keys []string
	seen := make(map[string]bool)
	for _, w := range ref {
		if key := last(w.Path); !seen[key] {
			keys, seen[key] = append(keys, key), true
		}
	}
	if near := file.Nearest(last(path), keys); near != "" && near != last(path) {
		return fmt.Errorf("there is no key %q: did you mean %s?", path, near)
	}
	return fmt.Errorf("there is no key %q: plumb explain lists those of the top level", path)
}

func (e *env) printExplained(x explained) error {
	if e.json() {
		x.Format = explainFormat
		return e.printJSON(x)
	}
	var b strings.Builder
	if x.Path != "" {
		fmt.Fprintf(&b, "%s: %s\n  %s\n", x.Path, valueWords(x.Word), x.Doc)
	}
	if x.Path != "" && len(x.Keys) > 0 {
		b.WriteString("\n")
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, k := range x.Keys {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", beneath(k.Path, x.Path), valueWords(k), k.Doc) // to memory
	}
	_ = w.Flush() // to memory
	return e.print(b.String())
}

// valueWords say what a value looks like, and what it is where the file leaves it out.
func valueWords(k file.Word) string {
	switch {
	case k.Required:
		return k.Type + ", required"
	case k.Default != "":
		return k.Type + ", default " + k.Default
	}
	return k.Type
}

// completeKeys offers the keys below what has been typed.
func completeKeys(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	if len(args) > 0 {
		return nil, directive
	}
	ref := reference(topology.Words())
	prefix, keys := "", ref.below("")
	if dot := strings.LastIndexByte(typed, '.'); dot >= 0 {
		found := ref.find(typed[:dot])
		if len(found) != 1 {
			return nil, directive
		}
		prefix, keys = typed[:dot+1], ref.below(found[0].Path)
	}
	var offers []string
	for _, k := range keys {
		offers = append(offers, prefix+last(k.Path))
	}
	return offers, directive
}

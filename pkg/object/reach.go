package object

import "github.com/plumbnet/plumb/pkg/file"

// Reach is a place where a file reaches beyond what it makes itself: whoever takes files from others may want to forbid
// it.
type Reach struct {
	Beyond Beyond
	At     file.Span
}

// Beyond is what a file can reach beside the namespaces, bridges and cables that it makes.
type Beyond string

// What there is beyond.
const (
	BeyondAttach   Beyond = "attach"       // namespaces of others
	BeyondExisting Beyond = "existing"     // links of others
	BeyondNAT      Beyond = "host-nat"     // the host's packets
	BeyondSysctls  Beyond = "host-sysctls" // the host's kernel parameters
	BeyondKeys     Beyond = "keys"         // files with keys
)

// Reach notes a place.
func (n *Network) Reach(b Beyond, at file.Span) { n.Reaches = append(n.Reaches, Reach{b, at}) }

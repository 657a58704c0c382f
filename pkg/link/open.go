package link

import "github.com/plumbnet/plumb/pkg/object"

// Open says whether others than the links of the file may be on a link's segment because of it: it is made on a link
// that the file does not declare, or sends its frames to where the file does not tell. Who is on a bridge of the host
// only the live host tells.
func Open(l *object.Iface) bool {
	t := typeOf(l.Type)
	made := t.Handler != "" && len(l.Below) > 0
	return l.Given || !t.Pair && l.Type != TypeBridge && !made
}

package kinds

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// sendRedirects is the switch that is for all links of a section.
const sendRedirects = "net.ipv4.conf.all.send_redirects"

// quieted lists the switch that the kernel turns off when a wireguard link comes up (drivers/net/wireguard/device.c:
// wg_open): on the host it is somebody's, who gets it back.
func quieted(e *object.Env, o plan.Object) []plan.Object {
	l, ok := o.(link.Link)
	v := Sysctl{NS: o.Key().NS, Name: sendRedirects, Value: "0"}
	if !ok || v.NS != "" || !l.QuietsRedirects() || e.Wanted(v.Key()) {
		return nil
	}
	first := slices.IndexFunc(e.WantedHere("", object.KindLink), func(other plan.Object) bool {
		l, ok := other.(link.Link)
		return ok && l.QuietsRedirects()
	})
	if e.WantedHere("", object.KindLink)[first].Key() != o.Key() {
		return nil // it is listed once
	}
	return []plan.Object{v}
}

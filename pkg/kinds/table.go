package kinds

import (
	"slices"

	"github.com/plumbnet/plumb/pkg/link"
	"github.com/plumbnet/plumb/pkg/object"
	"github.com/plumbnet/plumb/pkg/plan"
)

// table is in the order of creation. It does not change.
var table = []object.Kind{
	namespaceRow,
	// Defaults and global switches come before the links that take a copy of them; a link's own come after it, as its
	// need says.
	sysctlRow,
	linkRow,
	remoteRow,
	altnameRow,
	fdbRow,
	offloadRow,
	addressRow,
	// A gateway must be reachable when its route is made: after the addresses.
	routeRow,
	// A rule leads to a table when its routes are there.
	ruleRow,
	// A neighbour is lost whenever its link changes much: it comes when all of that is done.
	neighborRow,
	natRow,
}

// Table lists the kinds in the order of creation.
func Table() []object.Kind { return slices.Clone(table) }

var namespaceRow = object.Kind{
	Name: object.KindNamespace, Form: namespaceForm(),
	Read: readNamespaces, Owner: stampedNamespaces, Put: putNamespace, Del: delNamespaces,
	Pending: madeOrRemoved, Undo: undoNamespace,
	Held:     made, // its name can outlive it, as a file: see [Namespace.Leftover]
	Schedule: object.Schedule{Waits: true, Last: true, Sections: true},
}

var sysctlRow = object.Kind{
	Name: object.KindSysctl, Form: sysctlForm(),
	First: askSwitches, Fetch: fetchSysctls, Join: followLinks, Read: readSysctls, Owner: claimedSysctls,
	Put: putSysctl, Del: delSysctls,
	Pending: always, // its value may be the one that was wanted before
	Wishes:  wishSysctl, Claimed: true, Cuts: cutsSysctl, Also: uplinks, Settle: settleSysctl,
	Warn: object.Warnings(warnForwarding, warnOutranked), Takes: takesForwarding,
	Schedule: object.Schedule{Inherited: true},
}

var linkRow = object.Kind{
	Name: object.KindLink, Forms: link.Forms,
	First: link.First, Ask: link.Ask, Fetch: link.Fetch, Join: link.Join, Read: link.Read, Owner: link.Owner,
	Also: alsoOfLink, Put: link.Put, Del: link.Del, Pending: link.Pending, Wishes: link.Wishes, Returns: link.Returns,
	Held: link.Held, Undo: link.Undo, Cuts: link.Cuts, Settle: link.Settle,
	Warn: object.Warnings(warnBridge, warnForwardOff), Done: link.Done,
	Schedule: object.Schedule{Waits: true, Finish: link.Finish},
}

var remoteRow = object.Kind{
	Name: KindRemote, Form: remoteForm(),
	Fetch: fetchRemotes, Read: readRemotes, Owner: object.ByProtocol, Put: putRemotes, Del: delRemotes,
}

// alsoOfLink lists what links of some types bring with them, or take.
func alsoOfLink(e *object.Env, o plan.Object) []plan.Object {
	return slices.Concat(alsoVRFRules(e, o), quieted(e, o))
}

var altnameRow = object.Kind{
	Name: KindAltname, Form: altnameForm(),
	Read: readAltnames, Owner: object.ByProtocol, Put: putAltname, Del: delAltnames, Held: alone,
}

var fdbRow = object.Kind{
	Name: KindFDB, Form: fdbForm(),
	Fetch: fetchFDB, Read: readFDB, Owner: object.ByProtocol, Put: putFDB, Del: delFDB,
	// Where entries were once wanted, they are asked for.
	Held: func(plan.Object, bool) bool { return true }, Pending: madeOrRemoved,
}

var offloadRow = object.Kind{
	Name: KindOffload, Form: offloadForm(),
	Fetch: fetchOffloads, Read: readOffloads, Owner: claimedOffloads, Put: putOffloads, Del: delOffloads,
	Pending: always, Wishes: wishOffload, Claimed: true, Settle: settleOffload,
}

var addressRow = object.Kind{
	Name: KindAddress, Form: addressForm(),
	Ask: askAddresses, Read: readAddresses, Owner: object.ByProtocol, Put: putAddress, Swap: swapAddress,
	Del: delAddresses, Returns: returnAddresses, Held: alone, Undo: undoAddress, Cuts: cutsAddress, Warn: warnAddress,
	Done: addressesDone,
}

var routeRow = object.Kind{
	Name: KindRoute, Form: routeForm(),
	Ask: askRoutes, Fetch: fetchRoutes, Read: readRoutes, Owner: object.ByProtocol, Put: putRoute, Del: delRoutes,
	Returns: returnRoutes,
	Held:    alone, Cuts: cutsRoute, Settle: settleRoute, Warn: warnOfRoute,
}

var ruleRow = object.Kind{
	Name: KindRule, Form: ruleForm(),
	Ask: askRules, Read: readRules, Owner: ownRules, Put: putRules, Del: delRules, Cuts: cutsRule,
	// In a namespace it is held too: where rules were once wanted, they are asked for.
	Held: func(plan.Object, bool) bool { return true }, Pending: madeOrRemoved,
}

var neighborRow = object.Kind{
	Name: KindNeighbor, Form: neighborForm(),
	Ask: askNeighbors, Read: readNeighbors, Owner: object.ByProtocol, Put: putNeighbors, Del: delNeighbors,
	Returns: returnNeighbors,
	// In a namespace it is held too: where neighbours were once wanted, they are asked for.
	Held: func(plan.Object, bool) bool { return true }, Pending: madeOrRemoved,
}

var natRow = object.Kind{
	Name: KindNAT, Form: natForm(),
	Fetch: fetchNAT, Read: listNAT, Owner: object.ByTable, Put: putNAT, Del: delNAT, Undo: undoNAT,
	Settle: settleNAT, Warn: warnNAT,
	Schedule: object.Schedule{Batch: true},
}

// alone says whether an object stands on nothing of ours, and so has no stamp to be known by.
func alone(_ plan.Object, onOurs bool) bool { return !onOurs }

// made says whether a namespace is one that plumb makes.
func made(o plan.Object, _ bool) bool { n, ok := o.(Namespace); return ok && n.Attach == "" }

// madeOrRemoved lists what an action makes or removes, rather than changing it in place.
func madeOrRemoved(a plan.Action, c plan.Change) []object.Pending {
	if a == plan.Update {
		return nil
	}
	return always(a, c)
}

func always(_ plan.Action, c plan.Change) []object.Pending { return []object.Pending{{Key: c.Key()}} }

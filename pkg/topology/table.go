package topology

import (
	"sync"

	"github.com/plumbnet/plumb/pkg/kinds"
	"github.com/plumbnet/plumb/pkg/object"
)

// table lists the forms of all kinds, in the order in which they are checked and expanded: that of the kinds.
var table = sync.OnceValue(func() (forms []object.Form) {
	var onLinks []object.Form
	for _, k := range kinds.Table() {
		if k.Form.On == object.OnLink && k.Form.New != nil {
			onLinks = append(onLinks, k.Form)
		}
	}
	for _, k := range kinds.Table() {
		if k.Forms != nil {
			forms = append(forms, k.Forms(onLinks)...)
		} else {
			forms = append(forms, k.Form)
		}
	}
	return forms
})

package reconcile

// Wait waits until all is read.
func (p *Prefetch) Wait() *Prefetch {
	if p != nil {
		<-p.done
	}
	return p
}

// Has says whether a namespace was read.
func (p *Prefetch) Has(name string) bool { return p != nil && p.sections[name] != nil }

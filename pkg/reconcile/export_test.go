package reconcile

// Wait waits until all is read.
func (p *Prefetch) Wait() *Prefetch {
	if p != nil {
		p.reading.Wait()
	}
	return p
}

// Read lists the namespaces that were read so far, and says of each whether more than its links was.
func (p *Prefetch) Read() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	whole := make(map[string]bool)
	for name, s := range p.sections {
		whole[name] = s.Whole
	}
	return whole
}

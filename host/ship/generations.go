package ship

import "sync"

// generations are those that are known, for all stores.
type generations struct {
	mu  sync.Mutex
	all []generation
}

type generation struct {
	number uint64
	routes []string
}

// Use makes a generation known, with all its routes: until then nothing that names
// it, or a later one, becomes final. It may be called at any time.
func (s *Stage) Use(number uint64, routes []string) {
	s.known.mu.Lock()
	defer s.known.mu.Unlock()
	s.known.all = append(s.known.all, generation{number, routes})
}

// from gives the generations that came after the first n.
func (g *generations) from(n int) []generation {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all[n:len(g.all):len(g.all)]
}

// use tells a partition of generations that it has not heard of.
func (r *runner) use(p *part) {
	for _, g := range r.known.from(p.told) {
		p.shipper.Use(g.number, g.routes)
		p.told++
	}
}

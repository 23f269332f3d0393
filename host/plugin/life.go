package plugin

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// The steps of loading a plugin, in their order; of rules the first stands in the
// place of the next three.
const (
	StepBuild     = "build" // the module of rules
	StepFetch     = "fetch"
	StepDigest    = "digest"
	StepSignature = "signature"
	StepMetering  = "metering"
	StepCompile   = "compile"
	StepABI       = "ABI check"
	StepConfigure = "configure"
	StepVectors   = "golden vectors"
)

// The states of a version that are always there. A state is a text: whoever rolls
// a version out has states of its own between Ready and Live.
const (
	Loading  = "loading"
	Refused  = "refused"  // a step of loading has failed
	Ready    = "ready"    // loaded, in no generation in force yet
	Live     = "live"     // of the generation in force
	Draining = "draining" // of older generations only, which open sessions still need
	Drained  = "drained"  // nothing needs it any more
	Closed   = "closed"
)

// Life is the journal of one version of a plugin on this host: what it has gone
// through, from where it came from until it is closed, step by step with times. A
// version keeps its life however many generations have it. It is safe for
// concurrent use; the zero Life is that of a version that is about to be loaded.
type Life struct {
	mu    sync.Mutex
	state string
	since time.Time
	steps []Step
}

// Step is one entry of a Life: a step of loading, or a state that was entered.
type Step struct {
	Name   string
	At     time.Time     // when it began
	Took   time.Duration // 0 where a state was entered at once
	Detail string        // what is worth knowing of it; why it failed
}

// What a life holds is bounded: a version may change its state for ever. The steps
// of loading stay, and the newest ones.
const (
	maxSteps      = 64
	keptSteps     = 10
	maxStepDetail = 512 // bytes
)

// Steps are what has happened so far, in order.
func (l *Life) Steps() []Step {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.steps)
}

// State is what state the version is in, and since when.
func (l *Life) State() (state string, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == "" {
		return Loading, l.since
	}
	return l.state, l.since
}

// Enter notes that the version has come into a state, and why. One that it is in
// already is not noted again.
func (l *Life) Enter(state, detail string) { l.EnterSince(state, detail, time.Now()) }

// EnterSince is Enter for a state that has taken since began to come into.
func (l *Life) EnterSince(state, detail string, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == state {
		return
	}
	l.state, l.since = state, time.Now()
	l.add(Step{Name: state, At: began, Took: l.since.Sub(began), Detail: detail})
}

// do runs a step of loading and notes it. One that fails is the last one.
func (l *Life) do(name string, step func() (detail string, err error)) error {
	began := time.Now()
	detail, err := step()
	if err != nil {
		l.EnterSince(Refused, name+": "+err.Error(), began)
		return err
	}
	l.did(name, detail, began)
	return nil
}

// did notes a step of loading that has been done since began.
func (l *Life) did(name, detail string, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == "" {
		l.state, l.since = Loading, began
	}
	l.add(Step{Name: name, At: began, Took: time.Since(began), Detail: detail})
}

func (l *Life) add(s Step) {
	if len(s.Detail) > maxStepDetail {
		s.Detail = strings.ToValidUTF8(s.Detail[:maxStepDetail], "") + " …"
	}
	if len(l.steps) == maxSteps {
		l.steps = slices.Delete(l.steps, keptSteps, keptSteps+1)
	}
	l.steps = append(l.steps, s)
}

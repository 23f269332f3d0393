// Package rollout brings new versions of plugins in: in a shadow beside the version
// that decides, then with a share of the beacons, and back where they are worse. And
// it takes plugins out that keep failing.
//
// Where a decision changes figures and is not in dispatch's log, it stands in the
// State of a plugin, which is part of a generation: so a replay decides the same.
package rollout

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-6a2d649b/pharos/abi"
	"github.com/seed-6a2d649b/pharos/host/plugin"
)

// Phase says which version of a plugin decides.
type Phase string

// The phases. New is the version that the config names, and old the one before it.
const (
	Live       Phase = "live"        // new decides
	Shadow     Phase = "shadow"      // old decides, new runs beside it and is compared
	Canary     Phase = "canary"      // new decides of a share of the sessions, old of the others
	RolledBack Phase = "rolled back" // old decides: new was worse, or an operator said so
	Fallback   Phase = "fallback"    // old decides: new kept failing
	Out        Phase = "out"         // nobody decides, on_error holds: what would decide kept failing
)

// State is what a generation says of a plugin.
type State struct {
	Phase      Phase        `json:"phase"`
	New        string       `json:"new"`            // id of the version that the config names: see IDOf
	Kind       abi.Kind     `json:"kind,omitempty"` // of both; empty in a record of a build that did not say it
	Old        *plugin.Spec `json:"old,omitempty"`  // the version before it; nil: there is none
	Since      int64        `json:"since"`          // when the phase began by the clock of who did, epoch ms: for people
	Generation uint64       `json:"generation"`     // that began it
	By         string       `json:"by"`             // who did
	Reason     string       `json:"reason,omitempty"`
	Broken     Phase        `json:"broken,omitempty"` // of fallback and out: the phase to try again
	Trips      int          `json:"trips,omitempty"`  // how often in a row it was taken out
}

// Moment is which generation begins a phase, when, and by whom.
type Moment struct {
	Generation uint64
	Time       time.Time
	By         string
}

// maxReason bounds a reason, in bytes: the generation holds it.
const maxReason = 1 << 10

// to is the state in another phase.
func (s State) to(phase Phase, reason string, at Moment) State {
	s.Phase, s.Reason = phase, cut([]byte(reason), maxReason)
	s.Since, s.Generation, s.By = at.Time.UnixMilli(), at.Generation, at.By
	if phase != Fallback && phase != Out {
		s.Broken = ""
	}
	return s
}

// tried tells whether new is on trial, or has failed at it.
func (p Phase) tried() bool { return p == Shadow || p == Canary || p == RolledBack }

// NeedsOld tells whether the version before is called.
func (s State) NeedsOld() bool { return s.Phase.oldDecides() }

// oldDecides tells whether old decides, of most sessions at least.
func (p Phase) oldDecides() bool { return p.tried() || p == Fallback }

// IDOf names a version: what it answers hangs on that. Limits, on_error and how it is
// checked are not part of it.
func IDOf(spec plugin.Spec) string {
	spec.Memory, spec.Fuel, spec.OnError = 0, 0, ""
	spec.Keys, spec.Golden, spec.Signature = nil, "", ""
	text, err := json.Marshal(spec)
	if err != nil {
		panic(err) // texts, numbers and JSON that was read before
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(text))
}

// First is the state of a plugin that no generation has had.
func First(spec plugin.Spec, kind abi.Kind, at Moment) State {
	return State{New: IDOf(spec), Kind: kind}.to(Live, "", at)
}

// Follow is the state of a plugin, of a kind, in a config that follows another one, in
// which it was spec was in state s. A version that is wanted already goes on as it is:
// one that was rolled back is not tried again. One of another kind is another plugin:
// there is nothing that it could be compared with, or go back to.
func (s State) Follow(was, is plugin.Spec, kind abi.Kind, settings Settings, at Moment) State {
	trial := Live
	switch {
	case settings.Shadow != nil:
		trial = Shadow
	case settings.Canary != nil:
		trial = Canary
	}
	id, decides := IDOf(is), was
	if s.Phase.oldDecides() {
		decides = *s.Old
	}
	switch {
	case s.Kind != kind && s.Kind != "":
		return First(is, kind, at).to(Live, fmt.Sprintf("it was of the kind %s, and is of the kind %s now: a new plugin", s.Kind, kind), at)
	case id == s.New && (s.Phase == Shadow || s.Phase == Canary) && trial == Live:
		return s.to(Live, "the config asks for no trial any more", at)
	case id == s.New && s.Phase == Shadow && settings.Shadow == nil:
		return s.to(Canary, "the config asks for no shadow any more", at)
	case id == s.New && s.Phase == Canary && settings.Canary == nil:
		return s.to(Live, "the config asks for no canary any more", at)
	case id == s.New:
		return s
	case id == IDOf(decides): // the config has gone back to it
		return First(is, kind, at)
	case s.Phase == Out: // nothing that a new version could be compared with
		return First(is, kind, at)
	}
	return State{New: id, Kind: kind, Old: &decides}.to(trial, "", at)
}

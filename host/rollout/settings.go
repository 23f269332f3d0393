package rollout

import "time"

// Settings are what a config says of how versions of a plugin come and go.
type Settings struct {
	Shadow  *ShadowSettings // nil: no shadow
	Canary  *CanarySettings // nil: no canary
	Breaker BreakerSettings
}

// ShadowSettings say when a shadow ends well.
type ShadowSettings struct {
	For     time.Duration
	MaxDiff Share // of the rows compared
	MinRows int64 // that must have been compared
}

// CanarySettings say what a canary gets, and when it ends well.
type CanarySettings struct {
	Share    Share  // of the sessions, or of what By names
	By       string // a field; empty: sessions
	For      time.Duration
	MaxTraps Share // of its rows
	MinRows  int64 // that it must have been asked about
}

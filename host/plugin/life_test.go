package plugin

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestLife(t *testing.T) {
	var l Life
	if state, _ := l.State(); state != Loading {
		t.Error(state)
	}
	if err := l.do(StepFetch, func() (string, error) { return "x.wasm", nil }); err != nil {
		t.Fatal(err)
	}
	l.Enter(Ready, "")
	l.Enter(Ready, "again")
	l.EnterSince(Live, "generation 3", time.Now().Add(-time.Second))
	steps := l.Steps()
	if len(steps) != 3 || steps[0].Name != StepFetch || steps[0].Detail != "x.wasm" || steps[2].Name != Live || steps[2].Took < time.Second {
		t.Errorf("%+v", steps)
	}
	for range maxSteps {
		l.Enter("shadow", "")
		l.Enter("live", strings.Repeat("é", maxStepDetail))
	}
	if steps = l.Steps(); len(steps) != maxSteps || steps[0].Name != StepFetch || steps[maxSteps-1].Name != Live || len(steps[maxSteps-1].Detail) > maxStepDetail+4 {
		t.Errorf("%d %+v", len(steps), steps[maxSteps-1])
	}

	var failing Life
	if err := failing.do(StepDigest, func() (string, error) { return "", errors.New("wrong") }); err == nil {
		t.Error("a step that fails does not end the loading")
	}
	failing.Enter(Refused, "wrong")
	if steps := failing.Steps(); len(steps) != 1 || steps[0].Name != Refused || steps[0].Detail != "digest: wrong" {
		t.Errorf("%+v", steps)
	}
}

// What is refused says what is known of it, and what it has gone through.
func TestRefusedVersion(t *testing.T) {
	_, err := loader.Load(t.Context(), Spec{Name: "mine", Module: copyModule(t, "testdata/filter.wasm", "{}")})
	var e *LoadError
	if !errors.As(err, &e) || e.Name != "mine" || e.Kind == "" || e.Version == "" || e.Digest == "" {
		t.Fatalf("%+v", e)
	}
	steps := e.Life.Steps()
	if last := steps[len(steps)-1]; last.Name != Refused || !strings.HasPrefix(last.Detail, StepVectors+": ") {
		t.Errorf("%+v", steps)
	}
}

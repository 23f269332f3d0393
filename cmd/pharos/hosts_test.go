package main_test

import (
	"fmt"
	"testing"
)

// TestTwoHosts joins a second host with the session role to up's broker, in the
// middle of a load: told to end it drains, killed it is replaced; nothing is lost
// or booked twice.
func TestTwoHosts(t *testing.T) {
	t.Parallel()
	l := newLoad(t, 15000)
	text := "snapshots: {url: 'file://" + t.TempDir() + "'}\n" + string(read(t, l.config))
	rewrite(t, l.config, text)
	first := up(t, "-c", l.config)
	second := func() *host { // a machine of its own: another data directory, and the same bucket
		return runRole(t, "session", writeConfig(t, fmt.Sprintf("kafka: {brokers: [%q]}\n", first.broker)+text))
	}
	s := l.send(t)
	s.give(t, 3000)
	waitFor(t, "the first host to book alone", func() error { return first.booked(t, 1000) })

	h := second()
	share(t, first, h)
	_, before, err := h.partitions("session")
	if err != nil {
		t.Fatal(err)
	}
	s.give(t, 3000)
	waitFor(t, "the second host to book beacons", func() error { return h.booked(t, before+200) })
	s.give(t, 1500)
	h.terminate(t)
	s.give(t, 1500)

	h = second()
	share(t, first, h)
	s.give(t, 3000)
	waitFor(t, "the second host to book after a restart", func() error { return h.booked(t, before+1000) })
	s.give(t, 1500)
	h.kill(t)

	h = second()
	s.finish(t)
	share(t, first, h)
	first.waitForSummary(t, l.summary)
	first.waitForFigures(t, "shop", l.figures)
	h.terminate(t)
	first.terminate(t)

	first = up(t, "-c", l.config)
	first.waitForFigures(t, "shop", l.figures)
	first.terminate(t)
}

// share waits until two hosts have two of the four route partitions each.
func share(t *testing.T, a, b *host) {
	t.Helper()
	waitFor(t, "the route partitions to be shared", func() error {
		of, _, err := a.partitions("session")
		if err != nil {
			return err
		}
		have, _, err := b.partitions("session")
		if err == nil && (of != 2 || have != 2) {
			err = fmt.Errorf("the first host has %d, the second %d", of, have)
		}
		return err
	})
}

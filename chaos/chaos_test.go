//go:build linux

package chaos

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	beacons = flag.Int("beacons", 24_000, "beacons of the load")
	kills   = flag.Int("kills", 5, "hosts killed (kill -9)")
	stops   = flag.Int("stops", 1, "hosts stopped for longer than their group waits")
	joins   = flag.Int("joins", 1, "hosts that join and leave")
	leaves  = flag.Int("leaves", 1, "hosts that leave and come back")
	trims   = flag.Int("trims", 2, "times that the routes' logs are cut at the oldest snapshots")
	reloads = flag.Int("reloads", 1, "changes of the config while beacons flow; 0 or 1")
	moves   = flag.Int("moves", 1, "changes of a route's number of partitions while beacons flow")
	brokers = flag.Int("brokers", 1, "brokers of the cluster, 1 or 3")
	downs   = flag.Int("downs", 0, "brokers killed (kill -9); of 3")
	seed    = flag.Uint64("seed", 0, "what is done when, and to whom; 0: another one each time")
)

const sourcePartitions = 12

// TestChaos does harm to three hosts while beacons flow. In the end the figures
// are the definition's to the last bit, and the counts those of a replay of the
// same beacons, also after all hosts have been started anew.
func TestChaos(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", *seed)
	w := &world{cluster: startKafka(t, *brokers), rng: rand.New(rand.NewPCG(*seed, 2)), said: time.Now(), web: webPartitions, topic: "pharos.web"}
	w.load = newLoad(t, *beacons, sourcePartitions, *seed)
	w.load.send(t, w.brokers)
	w.say(t, "%d beacons come to %d bytes of figures", *beacons, len(w.load.figures))
	for i, name := range []string{"a", "b", "c"} {
		roles := "dispatch,session"
		if i == 0 {
			roles = "" // all
		}
		w.hosts = append(w.hosts, w.newHost(t, name, roles))
	}
	for _, h := range w.hosts {
		h.start(t)
	}
	for _, h := range w.hosts {
		w.working(t, h)
	}
	w.say(t, "three hosts work")

	var harm []func(beacons int)
	add := func(n int, do func(beacons int)) {
		for range n {
			harm = append(harm, do)
		}
	}
	guests := 0
	add(*kills, func(n int) { w.kill(t, n) })
	add(*stops, func(n int) { w.stop(t, n) })
	add(*joins, func(n int) { guests++; w.joinAndLeave(t, n, guests) })
	add(*leaves, func(n int) { w.leave(t, n) })
	add(*downs, func(n int) { w.killBroker(t, n) })
	add(*trims, func(int) { w.trim(t) })
	add(*reloads, func(n int) { w.reload(t, n) })
	add(*moves, func(n int) { w.repartition(t, n) })
	w.rng.Shuffle(len(harm), func(i, j int) { harm[i], harm[j] = harm[j], harm[i] })
	for i, do := range harm {
		do(w.load.left / (2 * (len(harm) - i))) // beacons each time that it gives some
	}
	w.sayHolds(t)
	w.load.giveAll(t)
	want := w.load.defined()
	w.say(t, "the definition has %d figures", len(want.Figures))
	w.settled(t, "after all harm", want)
	for _, h := range w.hosts {
		h.terminate(t)
	}
	for _, h := range w.hosts {
		h.start(t)
	}
	w.settled(t, "started anew", want)
	for _, h := range w.hosts {
		h.terminate(t)
	}
}

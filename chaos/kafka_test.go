//go:build linux

package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// cluster is a Kafka of its own.
type cluster struct {
	dir     string
	nodes   int
	brokers []string
}

// startKafka starts a cluster that ends with the test.
func startKafka(t *testing.T, nodes int) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "pharos-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{dir: dir, nodes: nodes}
	t.Cleanup(func() {
		if c.brokers != nil {
			if err := c.script("stop", c.kafka()); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("what Kafka said is in %s/node-*/log", c.kafka())
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for range 3 { // somebody else may take a port meanwhile
		if err = c.script("start", c.kafka(), strconv.Itoa(nodes), strconv.Itoa(freePorts(t, 2*nodes))); err == nil {
			return c
		}
		err = errors.Join(err, c.script("stop", c.kafka()), os.RemoveAll(c.kafka()))
	}
	t.Fatal(err)
	return nil
}

// kafka is the directory of the brokers; hosts have theirs beside it.
func (c *cluster) kafka() string { return filepath.Join(c.dir, "kafka") }

// script runs scripts/kafka.sh; what start prints are the brokers.
func (c *cluster) script(args ...string) error {
	script, err := filepath.Abs("../scripts/kafka.sh")
	if err != nil {
		return err
	}
	cmd := exec.Command(script, args...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("KAFKA_ENDS_WITH=%d", os.Getpid()))
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", script, strings.Join(args, " "), err, errs.String())
	}
	if args[0] == "start" {
		c.brokers = strings.Split(strings.TrimSpace(string(out)), ",")
	}
	return nil
}

// killNode kills a broker (kill -9) and restart starts it again.
func (c *cluster) killNode(t *testing.T, node int) (restart func()) {
	t.Helper()
	if err := c.script("kill", c.kafka(), strconv.Itoa(node)); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := c.script("node", c.kafka(), strconv.Itoa(node)); err != nil {
			t.Fatal(err)
		}
	}
}

// freePorts gives the first of n ports in a row that nobody listens on, below
// those that clients are given.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 1000 {
		first := 20000 + rand.IntN(12000-n)
		if portsAreFree(first, n) == nil {
			return first
		}
	}
	t.Fatalf("no %d free ports in a row", n)
	return 0
}

func portsAreFree(first, n int) (err error) {
	for port := first; port < first+n && err == nil; port++ {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}

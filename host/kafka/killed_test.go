package kafka

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// childBrokers, in the environment, makes the test binary a worker on those
// brokers that runs until it is killed.
const childBrokers = "PHAROS_TEST_WORKER_BROKERS"

// childBroker, in the environment, makes the test binary a broker on that
// directory and port (DIR:PORT) that runs until it is killed.
const childBroker = "PHAROS_TEST_BROKER"

func TestMain(m *testing.M) {
	if at := os.Getenv(childBroker); at != "" {
		dir, portText, _ := strings.Cut(at, "|")
		port, err := strconv.Atoi(portText)
		if err == nil {
			var c *kfake.Cluster
			if c, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir), short()); err == nil {
				fmt.Println(c.ListenAddrs()[0])
				select {}
			}
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if brokers := os.Getenv(childBrokers); brokers != "" {
		fmt.Println("started")
		stage := newCopier("child")
		if err := testLoop(Config{Brokers: strings.Split(brokers, ",")}, stage).Run(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child starts the test binary with a variable set and gives how to kill it
// (kill -9) and the first line that it says.
func child(t *testing.T, name, value string) (kill func(), line string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), name+"="+value)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(kill)
	if line, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return kill, strings.TrimSpace(line)
}

// TestKilledWorker kills workers (kill -9) in the middle of their work.
func TestKilledWorker(t *testing.T) {
	t.Parallel()
	_, cfg := cluster(t, short())
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	fed := 0
	for range 3 {
		kill, _ := child(t, childBrokers, strings.Join(cfg.Brokers, ","))
		before, err := CommittedOffsets(context.Background(), cl, "g", "in")
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "progress of the child", func() bool {
			feed(t, cl, fed, fed+40)
			fed += 40
			now, err := CommittedOffsets(context.Background(), cl, "g", "in")
			return err == nil && fmt.Sprint(now) != fmt.Sprint(before)
		})
		feed(t, cl, fed, fed+400)
		fed += 400
		kill()
	}
	stage := newCopier("last")
	run(t, testLoop(cfg, stage))
	copies(t, cfg, fed)
	report(t, stage)
}

// TestBrokerRestart takes the broker away under a loop and gives it back.
func TestBrokerRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func(opts ...kfake.Opt) *kfake.Cluster {
		c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.DataDir(dir), short()}, opts...)...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := start()
	cfg := Config{Brokers: c.ListenAddrs(), Logger: testLogger(t)}
	var port int
	fmt.Sscanf(cfg.Brokers[0], "127.0.0.1:%d", &port)
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	feed(t, cl, 0, 100)
	stage := newCopier("a")
	l := testLoop(cfg, stage)
	run(t, l)
	eventually(t, "the first commit", func() bool { return l.Stats().Commits > 0 })
	for round := range 2 {
		c.Close()
		eventually(t, "the broker is gone", func() bool { return Ping(t.Context(), cl) != nil })
		c = start(kfake.Ports(port))
		feed(t, cl, 100+round*100, 200+round*100)
		copies(t, cfg, 200+round*100)
	}
	t.Cleanup(c.Close)
	report(t, stage)
}

// TestKilledBroker kills an embedded broker (kill -9) under a loop whose
// transaction is open: what is left of it without an end is never seen, and
// hides nothing of what comes after. The transactions are long, since a broker
// killed within the writing of a commit does tear it (see package broker).
func TestKilledBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kill, addr := child(t, childBroker, dir+"|0")
	_, port, _ := strings.Cut(addr, ":")
	cfg := Config{Brokers: []string{addr}, Logger: testLogger(t)}
	cl := newClient(t, cfg)
	copyTopics(t, cl)
	stage := newCopier("a")
	l := testLoop(cfg, stage)
	l.cfg.CommitInterval = 500 * time.Millisecond
	run(t, l)
	fed := 0
	for range 3 {
		before := l.Stats()
		eventually(t, "a commit, and work beyond it", func() bool {
			feed(t, cl, fed, fed+4)
			fed += 4
			now := l.Stats()
			return now.Commits > before.Commits && now.Produced > before.Produced+40
		})
		time.Sleep(100 * time.Millisecond) // some of it is written
		kill()
		kill, _ = child(t, childBroker, dir+"|"+port)
	}
	copies(t, cfg, fed)
	report(t, stage)
	t.Logf("%+v", l.Stats())
}

package broker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// childDir, in the environment, makes the test binary a broker on that
// directory that runs until it is killed.
const childDir = "PHAROS_TEST_BROKER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		b, err := Start(Config{Dir: dir})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(b.Addr())
		select {}
	}
	os.Exit(m.Run())
}

func start(t *testing.T, cfg Config) *Broker {
	t.Helper()
	b, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func client(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.MetadataMinAge(50 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func createTopic(t *testing.T, addr, topic string, partitions int32) {
	t.Helper()
	if _, err := kadm.NewClient(client(t, addr)).CreateTopic(context.Background(), partitions, -1, nil, topic); err != nil {
		t.Fatal(err)
	}
}

// readAll returns the committed values of a topic with one partition.
func readAll(t *testing.T, addr, topic string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cl := client(t, addr, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	ends, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	var values []string
	marker := client(t, addr) // a last plain record, so that the end is seen even behind an aborted tail
	if err := marker.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("END")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("reading up to %d: %v", end.Offset, err)
		}
		done := false
		fetches.EachRecord(func(r *kgo.Record) {
			switch {
			case r.Attrs.IsControl():
			case string(r.Value) == "END":
				done = done || r.Offset >= end.Offset
			default:
				values = append(values, string(r.Value))
			}
		})
		if done {
			return values
		}
	}
}

func TestReopenKeepsRecords(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Config{Dir: dir})
	if host, _, _ := net.SplitHostPort(b.Addr()); host != "127.0.0.1" {
		t.Errorf("listens on %s, want the loopback address only", b.Addr())
	}
	createTopic(t, b.Addr(), "t", 1)
	big := strings.Repeat("x", 1<<20) // the largest beacon
	cl := client(t, b.Addr(), kgo.ProducerBatchMaxBytes(8<<20))
	if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "t", Value: []byte(big)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	cl.Close()
	b.Close()
	b = start(t, Config{Dir: dir})
	if got := readAll(t, b.Addr(), "t"); len(got) != 1 || got[0] != big {
		t.Errorf("after reopening: %d records", len(got))
	}
}

func TestDirectoryIsLocked(t *testing.T) {
	dir := t.TempDir()
	runs := func(want bool) {
		t.Helper()
		if got, err := Running(dir); err != nil || got != want {
			t.Errorf("running: %v, %v; want %v", got, err, want)
		}
	}
	runs(false)
	b := start(t, Config{Dir: dir})
	runs(true)
	if _, err := Start(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", os.Getpid())) {
		t.Errorf("second start: %v", err)
	}
	b.Close()
	runs(false)
	start(t, Config{Dir: dir})
}

func TestStartErrors(t *testing.T) {
	if _, err := Start(Config{}); err == nil || !strings.Contains(err.Error(), "set data") {
		t.Errorf("no directory: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	port := l.Addr().(*net.TCPAddr).Port
	if _, err := Start(Config{Dir: dir, Port: port}); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), fmt.Sprint(port)) {
		t.Errorf("port in use: %v", err)
	}
	start(t, Config{Dir: dir}) // the failed start let go of the lock
}

func TestBoundedInBytes(t *testing.T) {
	const bound = 4 << 20
	dir := t.TempDir()
	b := start(t, Config{Dir: dir, MaxBytes: bound, Every: 20 * time.Millisecond})
	createTopic(t, b.Addr(), "t", 2)
	cl := client(t, b.Addr(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	value := make([]byte, 32<<10)
	for i := range 1024 { // 32 MiB
		if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "t", Partition: int32(i % 2), Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		var size int64
		filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				if info, err := d.Info(); err == nil {
					size += info.Size()
				}
			}
			return nil
		})
		if size < bound*5/4 {
			t.Logf("%d KiB are left", size>>10)
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d KiB are left, the bound is %d KiB", size>>10, bound>>10)
		}
		time.Sleep(20 * time.Millisecond)
	}
	ends, err := kadm.NewClient(cl).ListStartOffsets(context.Background(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := ends.Lookup("t", 0); o.Offset == 0 {
		t.Error("nothing was deleted")
	}
}

// child is a broker in a process of its own.
type child struct {
	cmd  *exec.Cmd
	addr string
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd}
	t.Cleanup(c.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the child said no address: %v", err)
	}
	c.addr = strings.TrimSpace(line)
	return c
}

// kill is kill -9.
func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// TestKilledBrokerLosesNothing kills the broker's process twice in the middle
// of transactions: what was committed is there, what was open is not, also
// where the log is rebuilt a second time.
func TestKilledBrokerLosesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	var want []string
	for round := range 3 {
		c := startChild(t, dir)
		if round == 0 {
			createTopic(t, c.addr, "t", 1)
		}
		if got := readAll(t, c.addr, "t"); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("round %d: read\n%v\nwant\n%v", round, got, want)
		}
		offsets, err := kadm.NewClient(client(t, c.addr)).FetchOffsets(ctx, "g")
		if round > 0 {
			if o, ok := offsets.Lookup("t", 0); err != nil || !ok || o.At != int64(round) || o.Metadata != fmt.Sprintf("m%d", round) {
				t.Fatalf("round %d: committed offset %+v, %v", round, o, err)
			}
		}
		cl := client(t, c.addr, kgo.TransactionalID(fmt.Sprintf("tx-%d", round)), kgo.TransactionTimeout(30*time.Second))
		produce := func(value string) {
			if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		begin := func() {
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			begin()
			value := fmt.Sprintf("%d-%d", round, i)
			produce(value)
			if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
				t.Fatal(err)
			}
			want = append(want, value)
		}
		var os kadm.Offsets
		os.Add(kadm.Offset{Topic: "t", At: int64(round + 1), LeaderEpoch: -1, Metadata: fmt.Sprintf("m%d", round+1)})
		if err := kadm.NewClient(cl).CommitAllOffsets(ctx, "g", os); err != nil {
			t.Fatal(err)
		}
		begin()
		produce("open")
		c.kill()
	}
}

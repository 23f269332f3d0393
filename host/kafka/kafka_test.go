package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

// cluster starts a broker in this process.
func cluster(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, Config) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, Config{Brokers: c.ListenAddrs(), ClientID: "test", Logger: testLogger(t)}
}

func testLogger(t *testing.T) hclog.Logger {
	if os.Getenv("PHAROS_TEST_LOG") == "" {
		return nil
	}
	return hclog.New(&hclog.LoggerOptions{Name: t.Name(), Level: hclog.Debug})
}

func newClient(t *testing.T, c Config, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := NewClient(c, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func TestPartitionOfIsKafkas(t *testing.T) {
	kafkas := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "key")
		n := rapid.Int32Range(1, 200).Draw(t, "n")
		if got, want := PartitionOf(key, n), kafkas.Partition(&kgo.Record{Key: key}, int(n)); int(got) != want {
			t.Fatalf("PartitionOf(%x, %d) = %d, Kafka places it in %d", key, n, got, want)
		}
	})
}

func TestDeadLetterKeepsEverything(t *testing.T) {
	d := DeadLetter{
		Cause: "plugin bots: trap", Detail: "unreachable at 0x1", Plugin: "bots", Version: "1.2.0", Digest: "sha256:00", Tenant: "shop",
		Topic: "beacons", Partition: 3, Offset: 77, Value: []byte("{\xff"),
	}
	r := d.Record("pharos.dead-letters", 4)
	got, err := ParseDeadLetter(r)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(d) {
		t.Errorf("got %+v, want %+v", got, d)
	}
	if r.Partition < 0 || r.Partition > 3 {
		t.Errorf("partition %d of 4", r.Partition)
	}

	d.Value = bytes.Repeat([]byte("x"), MaxMessageBytes+1)
	r = d.Record("pharos.dead-letters", 1)
	if len(r.Value) > maxLetter {
		t.Errorf("a value of %d bytes stays %d", len(d.Value), len(r.Value))
	}
	if h := r.Headers[len(r.Headers)-1]; h.Key != "bytes" || string(h.Value) != fmt.Sprint(len(d.Value)) {
		t.Errorf("last header %s=%s, want the whole size", h.Key, h.Value)
	}
	if _, err := ParseDeadLetter(&kgo.Record{Topic: "t"}); err == nil {
		t.Error("a record without headers is a dead letter")
	}
}

func TestEnsureTopics(t *testing.T) {
	_, c := cluster(t)
	cl := newClient(t, c)
	ctx := context.Background()
	for range 2 { // the second time they are there
		if err := EnsureTopics(ctx, cl, Topic{Name: "a", Partitions: 3}, Topic{Name: "b", Partitions: 1, Config: map[string]string{"retention.ms": "1000"}}); err != nil {
			t.Fatal(err)
		}
	}
	infos, err := Topics(ctx, cl, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	if infos["a"].Partitions != 3 || infos["b"].Partitions != 1 || infos["a"].ID == ([16]byte{}) {
		t.Errorf("topics: %+v", infos)
	}
	err = EnsureTopics(ctx, cl, Topic{Name: "a", Partitions: 4})
	var count *PartitionCountError
	if !errors.As(err, &count) || count.Has != 3 || count.Wants != 4 || !strings.Contains(err.Error(), "kafka-topics.sh") {
		t.Errorf("other partition count: %v", err)
	}
	if err := EnsureTopics(ctx, cl, Topic{Name: "a", Partitions: 4, AnyCount: true}); err != nil {
		t.Errorf("any partition count: %v", err)
	}
	if _, err := Topics(ctx, cl, "nowhere"); err == nil {
		t.Error("a missing topic is no error")
	}

	// Somebody made it with the broker's default.
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, 1, -1, nil, "small"); err != nil {
		t.Fatal(err)
	}
	err = EnsureTopics(ctx, cl, Topic{Name: "small", Partitions: 1})
	var other *TopicConfigError
	if !errors.As(err, &other) || !strings.HasSuffix(other.Mend, fmt.Sprintf("--entity-name small --add-config max.message.bytes=%d,message.timestamp.type=LogAppendTime", MaxMessageBytes)) {
		t.Errorf("a topic that refuses large records: %v", err)
	}
	for _, topic := range []Topic{
		{Name: "small", Partitions: 1, AnyCount: true},
		{Name: "small", Partitions: 1, Config: map[string]string{"max.message.bytes": "1000", "message.timestamp.type": "CreateTime"}},
	} {
		if err := EnsureTopics(ctx, cl, topic); err != nil {
			t.Errorf("%+v: %v", topic, err)
		}
	}
	compact, stamp, size := "compact", "LogAppendTime", fmt.Sprint(MaxMessageBytes+1)
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, 1, -1, map[string]*string{
		"cleanup.policy": &compact, "message.timestamp.type": &stamp, "max.message.bytes": &size,
	}, "compact"); err != nil {
		t.Fatal(err)
	}
	err = EnsureTopics(ctx, cl, Topic{Name: "compact", Partitions: 1})
	if !errors.As(err, &other) || fmt.Sprint(other.Has, other.Wants) != "[cleanup.policy=compact] [cleanup.policy=delete]" {
		t.Errorf("a topic that forgets: %v", err)
	}

	configs, err := kadm.NewClient(cl).DescribeTopicConfigs(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range configs[0].Configs {
		got[c.Key] = c.MaybeValue()
	}
	for k, want := range map[string]string{"message.timestamp.type": "LogAppendTime", "max.message.bytes": fmt.Sprint(MaxMessageBytes), "retention.ms": "1000"} {
		if got[k] != want {
			t.Errorf("%s is %q, want %q", k, got[k], want)
		}
	}
}

func TestSASL(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		_, c := cluster(t, kfake.EnableSASL(), kfake.Superuser(mechanism, "pharos", "secret"))
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		c.SASL = &SASL{Mechanism: mechanism, User: "pharos", Password: "secret"}
		if err := Ping(ctx, newClient(t, c)); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		c.SASL.Password = "wrong"
		if err := Ping(ctx, newClient(t, c)); err == nil {
			t.Errorf("%s: a wrong password is let in", mechanism)
		} else if strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: the password is in the error: %v", mechanism, err)
		}
	}
	if _, err := NewClient(Config{Brokers: []string{"localhost:1"}, SASL: &SASL{Mechanism: "GSSAPI"}}); err == nil || !strings.Contains(err.Error(), "SCRAM-SHA-512") {
		t.Errorf("unknown mechanism: %v", err)
	}
	if _, err := NewClient(Config{}); err == nil || !strings.Contains(err.Error(), "kafka.brokers") {
		t.Errorf("no brokers: %v", err)
	}
}

func TestOffsetsWithMetadata(t *testing.T) {
	_, c := cluster(t)
	cl := newClient(t, c)
	ctx := context.Background()
	if err := EnsureTopics(ctx, cl, Topic{Name: "t", Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "t", Partition: 1}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	bounds, err := OffsetBounds(ctx, cl, "t")
	if err != nil || bounds[TopicPartition{"t", 1}] != (Bounds{0, 5}) || bounds[TopicPartition{"t", 0}] != (Bounds{0, 0}) {
		t.Errorf("bounds %v, %v", bounds, err)
	}
	if got, err := CommittedOffsets(ctx, cl, "g", "t"); err != nil || len(got) != 0 {
		t.Errorf("before a commit: %v, %v", got, err)
	}
	want := Committed{3, "horizon 17"}
	if err := CommitOffsets(ctx, cl, "g", map[TopicPartition]Committed{{"t", 1}: want}); err != nil {
		t.Fatal(err)
	}
	got, err := CommittedOffsets(ctx, cl, "g", "t")
	if err != nil || len(got) != 1 || got[TopicPartition{"t", 1}] != want {
		t.Errorf("after the commit: %v, %v", got, err)
	}
}

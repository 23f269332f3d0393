// Package kafka is the one way in which Pharos talks to Kafka: clients with
// TLS and SASL, topics, and Loop, the worker whose every batch is one
// transaction. It never transforms what it carries.
package kafka

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// MaxMessageBytes bounds one record batch that Pharos writes, and is the
// max.message.bytes of the topics that it creates: far above a beacon (1 MiB),
// so that dead letters of larger records fit too.
const MaxMessageBytes = 8 << 20

// Config says which cluster to talk to, and as whom.
type Config struct {
	Brokers  []string // host:port
	ClientID string   // as the brokers' logs and quotas see it
	TLS      *tls.Config
	SASL     *SASL
	Logger   hclog.Logger // nil: silent
	// Dial makes connections; nil: TCP, with TLS where that is set.
	Dial func(ctx context.Context, network, host string) (net.Conn, error)
}

// SASL is how a client authenticates.
type SASL struct {
	Mechanism      string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	User, Password string
}

// Options returns what every client of the cluster needs. A client built from
// them places records itself (Record.Partition holds).
func (c Config) Options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.WithLogger(logger{c.logger()}),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(MaxMessageBytes),
		kgo.ProducerBatchCompression(kgo.SnappyCompression(), kgo.NoCompression()),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.MetadataMaxAge(30 * time.Second), // so that a partition added to a raw topic is soon read
	}
	if c.ClientID != "" {
		opts = append(opts, kgo.ClientID(c.ClientID))
	}
	switch {
	case c.Dial != nil:
		opts = append(opts, kgo.Dialer(c.Dial))
	case c.TLS != nil:
		opts = append(opts, kgo.DialTLSConfig(c.TLS.Clone()))
	}
	if m, err := c.SASL.mechanism(); err == nil && m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts
}

// NewClient returns a client of the cluster. It does not connect yet.
func NewClient(c Config, opts ...kgo.Opt) (*kgo.Client, error) {
	if len(c.Brokers) == 0 {
		return nil, fmt.Errorf("kafka: no brokers are configured: set kafka.brokers")
	}
	if _, err := c.SASL.mechanism(); err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(c.Options(), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka: client of %s: %w", strings.Join(c.Brokers, ","), err)
	}
	return cl, nil
}

// Ping tells whether a broker answers, and says which were asked if none does.
func Ping(ctx context.Context, cl *kgo.Client) error {
	if err := cl.Ping(ctx); err != nil {
		return fmt.Errorf("kafka: no broker answers at %v: %w", cl.OptValue(kgo.SeedBrokers), err)
	}
	return nil
}

func (c Config) logger() hclog.Logger {
	if c.Logger == nil {
		return hclog.NewNullLogger()
	}
	return c.Logger
}

// mechanism returns nil where there is nothing to authenticate with.
func (s *SASL) mechanism() (sasl.Mechanism, error) {
	if s == nil {
		return nil, nil
	}
	switch strings.ToUpper(s.Mechanism) {
	case "PLAIN":
		return plain.Auth{User: s.User, Pass: s.Password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("kafka: SASL mechanism %q is not known: use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", s.Mechanism)
}

// logger gives kgo's messages to hclog, one level lower: what kgo calls
// information (each transaction, each rebalance) is detail to an operator.
type logger struct{ l hclog.Logger }

var _ kgo.Logger = logger{}

func (l logger) Level() kgo.LogLevel {
	switch {
	case l.l.IsTrace():
		return kgo.LogLevelDebug
	case l.l.IsDebug():
		return kgo.LogLevelInfo
	case l.l.IsWarn():
		return kgo.LogLevelWarn
	case l.l.IsError():
		return kgo.LogLevelError
	}
	return kgo.LogLevelNone
}

func (l logger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	switch level {
	case kgo.LogLevelError:
		l.l.Error(msg, keyvals...)
	case kgo.LogLevelWarn:
		l.l.Warn(msg, keyvals...)
	case kgo.LogLevelInfo:
		l.l.Debug(msg, keyvals...)
	case kgo.LogLevelDebug:
		l.l.Trace(msg, keyvals...)
	}
}

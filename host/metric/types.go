// Package metric holds what a figure is made of: series, exact integers,
// deltas, the frames of the metrics topic, and the totals that readers keep.
package metric

// Statuses of a figure.
const (
	Assigned  = "assigned"
	Qualified = "qualified"
)

// Reserved points, booked by the engine itself.
const (
	Visit     = "visit"
	Crossover = "crossover"
)

// AllTraffic is the experiment and "_all" the variant of a tenant's all_traffic.
const (
	AllExperiment = "_all"
	AllVariant    = "_all"
	OtherValue    = "_other" // a dimension's or attribute's value beyond its list or limit
)

// Micro is the number of units of Figure.Sum in 1; SumSq counts Micro*Micro.
const Micro = 1_000_000

// MaxValue is the largest magnitude of a measurement's value.
const MaxValue = 1e9

// NoWatermark is the watermark of a partition that has none yet.
const NoWatermark int64 = -1 << 63

// Label is a name and its value.
type Label struct{ Name, Value string }

// Series names one figure over time. Attributes are in the order of the
// point's declaration, Dims sorted by name; none has an empty value.
type Series struct {
	Tenant, Experiment, Variant, Status, Point string
	Attributes                                 []Label
	Dims                                       []Label
}

// Figure is what is booked for one series in one minute; also a change of it.
type Figure struct {
	Hits     int64
	Sum      Int // units of 10^-Series.SumDecimals()
	Sessions int64
	SumSq    Int // units of 1/(Micro*Micro)
}

// Delta is a change of one figure. Minute counts minutes since 1970 UTC.
type Delta struct {
	Series *Series
	Minute int64
	Figure Figure
}

// Outcome is what became of a beacon, for the conservation
// in = counted + filtered + duplicate + late + dead-lettered.
type Outcome uint8

// The outcomes; BadValue and the ones after it are counted beside them.
const (
	In             Outcome = 1
	Counted        Outcome = 2
	Filtered       Outcome = 3 // Reason: the filter's
	Duplicate      Outcome = 4
	LateBeacon     Outcome = 5
	DeadLettered   Outcome = 6 // Reason: the cause
	Undecodable    Outcome = 7 // no tenant; Reason: the cause
	BadValue       Outcome = 8
	UnknownVariant Outcome = 9
	PluginError    Outcome = 10 // an extractor's trap; Reason: the plugin
	OtherDimension Outcome = 11 // value beyond the limit; Reason: the dimension or attribute
)

var outcomes = [...]string{
	In: "in", Counted: "counted", Filtered: "filtered", Duplicate: "duplicate", LateBeacon: "late", DeadLettered: "dead_lettered",
	Undecodable: "undecodable", BadValue: "bad_value", UnknownVariant: "unknown_variant", PluginError: "extractor_failure",
	OtherDimension: "other_value",
}

// String is the outcome's name in metrics.
func (o Outcome) String() string {
	if int(o) < len(outcomes) && outcomes[o] != "" {
		return outcomes[o]
	}
	return "unknown"
}

// Count is a change of how many beacons of a tenant came to an outcome. Counts
// can fall: a beacon that comes out of order can make another a duplicate.
type Count struct {
	Tenant  string // empty for Undecodable
	Outcome Outcome
	Reason  string
	N       int64
}

// Progress says how far a session partition has come: every delta of the
// beacons before Offset is booked, and the partition's watermark there.
type Progress struct {
	Route      string
	TopicID    [16]byte
	Partition  int32
	Partitions int32 // of the route's topic
	Offset     int64
	Watermark  int64 // epoch ms, or NoWatermark
	// Generation is the highest that the partition's log has named before Offset, in
	// headers, marks and ends; 0 where the writer did not say: the frame's then.
	Generation uint64
	// Closed says that nothing more comes of the partition: a repartition has put
	// another topic of the route in the place of its own.
	Closed bool
}

// Frame is one record of the metrics topic.
type Frame struct {
	Host       string
	Generation uint64
	Deltas     []Delta
	Counts     []Count
	Progress   []Progress
}

// Measurement is what an extractor says of one row of a batch.
type Measurement struct {
	Row        int
	Point      int // index in the extractor's points
	Value      float64
	Attributes [][]byte // a value for each attribute of the point, nil where it has none; valid during the call only
}

// Sample is one final or open figure as stores hold it: each stat is the
// nearest float64 of the exact figure.
type Sample struct {
	Series                     *Series
	Minute                     int64
	Hits, Sum, Sessions, SumSq float64
}

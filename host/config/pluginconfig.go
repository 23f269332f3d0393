package config

import "time"

// Plugin is one use of a module, or a list of rules.
type Plugin struct {
	Module    URL       `key:"module" absent:"the plugin has rules" doc:"The WebAssembly module: file:// and a path; https:// and where a web server has it; or oci://, a registry, a name and a tag or digest. http:// and oci+http:// reach this machine only." example:"oci://registry.example/shop/clicks:1.4.0"`
	Digest    string    `key:"digest" absent:"any content, of a file:// module" doc:"SHA-256 of the module; a module that is not a file needs it." example:"\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\""`
	Config    Free      `key:"config" doc:"Handed to the module, which says in its schema what it takes." example:"{extra: [curl]}"`
	Data      Map[Path] `key:"data" doc:"Files handed to the module, by the name that it knows them by." example:"lists/agents.txt"`
	Rules     *Rules    `key:"rules" absent:"the plugin has a module" doc:"Rules instead of a module: exactly one of drop, split and extract."`
	Limits    Limits    `key:"limits" doc:"What one instance of the module may use."`
	OnError   string    `key:"on_error" default:"dead_letter" enum:"dead_letter|pass|drop" doc:"What becomes of a beacon at which the plugin fails: to the dead letters, on as if the plugin had said nothing, or filtered with the reason plugin NAME." example:"pass"`
	Key       string    `key:"key" absent:"no signature is wanted, but for plugin_keys" doc:"The one of keys that must have signed the module." example:"shop"`
	Signature Path      `key:"signature" absent:"that beside the module: its name and .minisig, or a layer in the registry" doc:"File of the module's signature, of minisign." example:"plugins/bots.wasm.minisig"`
	Golden    Path      `key:"golden" absent:"those beside the module: NAME.golden.ndjson, or a layer in the registry" doc:"File of golden vectors that must hold, beside those in the module." example:"plugins/bots.golden.ndjson"`
	Shadow    *Shadow   `key:"shadow" absent:"a new version is live at once, or a canary" doc:"Run a new version beside the one that decides first, and compare what they say. Without another version there is nothing to compare."`
	Canary    *Canary   `key:"canary" absent:"a new version is live at once, or after its shadow" doc:"Let a new version decide of a share of the sessions first, after its shadow if it has one."`
	Breaker   Breaker   `key:"breaker" doc:"When the plugin is taken out because it keeps failing: the version before decides, or if there is none, on_error holds for all beacons."`
}

// Limits bound one instance of a module.
type Limits struct {
	Memory Size  `key:"memory" default:"16MiB" min:"64KiB" max:"4GiB" doc:"Its memory." example:"64MiB"`
	Fuel   int64 `key:"fuel" default:"10000000" min:"1" doc:"How much work a call may do, in instructions. A batch that takes more is split; a beacon that takes more alone is one at which the plugin fails." example:"50000000"`
}

// Shadow runs a new version beside the one that decides.
type Shadow struct {
	For     time.Duration `key:"for" default:"10m" min:"0s" doc:"How long, at least." example:"1h"`
	MaxDiff Percent       `key:"max_diff" default:"0.1%" doc:"Of the beacons compared, how many may differ; more, and the new version is rolled back at once." example:"1%"`
	MinRows int64         `key:"min_rows" default:"1000" min:"1" doc:"How many beacons must have been compared on a host that promotes it." example:"100000"`
}

// Canary gives a new version a share of the sessions.
type Canary struct {
	Share    Percent       `key:"share" default:"5%" min:"0.0001%" doc:"Of the sessions: which ones hangs on the session and the version alone." example:"1%"`
	By       string        `key:"by" default:"session" doc:"What is decided of by one version for good: session, or a path or further name, as a visitor's; a beacon without a value goes by its session. Of an extractor that keeps cells or closes sessions only session." example:"visitor"`
	For      time.Duration `key:"for" default:"10m" min:"0s" doc:"How long, at least." example:"1h"`
	MaxTraps Percent       `key:"max_traps" default:"0.1%" doc:"At how many of its beacons it may fail. Above, and above what the other version fails at, it is rolled back at once." example:"0%"`
	MinRows  int64         `key:"min_rows" default:"1000" min:"1" doc:"How many beacons it must have decided of on a host that promotes it." example:"10000"`
}

// Breaker takes a plugin out that keeps failing.
type Breaker struct {
	Traps      Percent       `key:"traps" default:"50%" min:"0.0001%" doc:"At how many of the beacons of a window it fails." example:"10%"`
	Rows       int64         `key:"rows" default:"1000" min:"1" doc:"How many beacons a window has." example:"10000"`
	Backoff    time.Duration `key:"backoff" default:"30s" min:"1s" doc:"How long it is out before it is tried again; twice as long each time in a row." example:"1m"`
	MaxBackoff time.Duration `key:"max_backoff" default:"10m" min:"1m" doc:"The longest that it is out. Each time it goes and comes is a generation: so it is not less than a minute." example:"1h"`
}

// Rules are conditions in CEL's syntax over a beacon's fields; exactly one
// list of drop, split and extract is given.
type Rules struct {
	Drop    []DropRule    `key:"drop" doc:"A filter: the first rule whose condition holds drops the beacon."`
	Split   []SplitRule   `key:"split" doc:"A splitter: the first rule whose condition holds sends the beacon to its route."`
	Extract []ExtractRule `key:"extract" doc:"An extractor: every rule whose condition holds gives one measurement."`
	Close   []CloseRule   `key:"close" doc:"Beside extract: every rule whose condition holds of a session that has ended gives one measurement, at the session's end."`
	Let     Map[Expr]     `key:"let" doc:"Expressions by name, for all expressions of the plugin: the name stands for the expression, and hides a field of that name." example:"'type == \"purchase\"'"`
	Cells   []string      `key:"cells" doc:"Names of numbers that are kept with each session, 0 at its start; of extract only, at most 16." example:"[views, spent]"`
}

// DropRule drops beacons.
type DropRule struct {
	Reason string `key:"reason" required:"true" doc:"What dropped beacons are counted under." example:"asset"`
	When   Expr   `key:"when" required:"true" doc:"The condition." example:"'path.endsWith(\".css\")'"`
}

// SplitRule sends beacons to a route.
type SplitRule struct {
	Route string `key:"route" required:"true" doc:"One of dispatch.routes." example:"mobile"`
	When  Expr   `key:"when" required:"true" doc:"The condition." example:"'platform == \"ios\"'"`
}

// ExtractRule gives measurements.
type ExtractRule struct {
	Point      string      `key:"point" absent:"nothing is measured; a rule without set needs it" doc:"The measurement point; visit and crossover are reserved." example:"order"`
	When       Expr        `key:"when" required:"true" doc:"The condition." example:"'type == \"purchase\"'"`
	Value      Expr        `key:"value" absent:"1" doc:"The measured value, an expression of a number." example:"product.price"`
	Attributes Map[string] `key:"attributes" doc:"Attributes by name, each a path or further name. The measurement is booked with and without them." example:"img.id"`
	Set        Map[Expr]   `key:"set" doc:"What cells of the session become, by the cell's name: an expression of a number." example:"'cell(\"views\") + 1'"`
}

// CloseRule gives measurements of sessions that have ended.
type CloseRule struct {
	Point string `key:"point" required:"true" doc:"The measurement point; visit and crossover are reserved." example:"duration"`
	When  Expr   `key:"when" required:"true" doc:"The condition." example:"'count(\"item_page\") > 0'"`
	Value Expr   `key:"value" absent:"1" doc:"The measured value, an expression of a number." example:"session.duration / 1000"`
}

// Dispatch is the first stage.
type Dispatch struct {
	PluginKeys []string   `key:"plugin_keys" absent:"no signature is wanted" doc:"One of these keys must have signed each module of dispatch: filters and splitter." example:"[platform]"`
	Filters    []string   `key:"filters" doc:"Plugins that drop beacons, in the order of work; the first drop wins." example:"[bots, noise]"`
	Split      string     `key:"split" absent:"every beacon takes the default route" doc:"The plugin that chooses routes." example:"device"`
	Routes     Map[Route] `key:"routes" absent:"one route, all, with topic pharos.all" doc:"The routes by name. A session is one session on one route."`
	Default    string     `key:"default" absent:"the route, if there is one only" doc:"The route of beacons on which the splitter has no opinion." example:"web"`
}

// Route is the topic of a route.
type Route struct {
	Topic      string `key:"topic" absent:"pharos. and the route's name" doc:"Its topic in Kafka; fixed once it exists. Where the route has grown, its present topic has a number behind this name: pharos.web-v2." example:"pharos.web"`
	Partitions int32  `key:"partitions" default:"4" min:"1" max:"10000" doc:"Its number of partitions; it bounds how many hosts share the work. Only pharos repartition changes it; then write the new number here." example:"8"`
}

// Session cuts and bounds sessions.
type Session struct {
	Gap         time.Duration `key:"gap" default:"30m" min:"1ms" doc:"A session ends where the next beacon is more than this later; also how long a beacon's id makes a later one a duplicate." example:"45m"`
	Lateness    time.Duration `key:"lateness" default:"10m" min:"0s" doc:"How far behind the watermark a beacon may be; what is older is late. A minute is final this long after the watermark has passed it." example:"2m"`
	Ahead       time.Duration `key:"ahead" default:"5m" min:"0s" doc:"How far ahead of the clock a beacon's time may be; what is beyond is future." example:"1m"`
	Idle        time.Duration `key:"idle" default:"1m" min:"1s" doc:"After this long without a beacon a source partition no longer holds the others up." example:"30s"`
	MaxSessions int           `key:"max_sessions" default:"2000000" min:"1" doc:"Sessions in memory, a partition; beacons of more are dead letters." example:"500000"`
	MaxBeacons  int           `key:"max_beacons" default:"10000" min:"1" doc:"Beacons within the lateness, a session; more are dead letters." example:"1000"`
}

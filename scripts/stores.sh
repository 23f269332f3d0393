#!/usr/bin/env bash
# Time-series stores for tests, each one process on 127.0.0.1, without installing anything into the system.
#
#   stores.sh fetch STORE...              get the programs, once
#   stores.sh start STORE DIR [PORT]      start the store of DIR, or make one; print its base URL once it serves
#   stores.sh stop DIR                    stop it; the data stays
#   stores.sh kill DIR                    kill -9
#
# STORE is prometheus, victoria, influx (Debian packages, unpacked), kairosdb, opensearch (jars of Maven Central; Java 17+)
# or m3db (built from tools/m3db, which takes minutes the first time; it uses PORT to PORT+8 and has a namespace "default"). Without PORT a free one is taken.
# Programs stay in STORES_CACHE (~/.cache/pharos/stores). Environment: STORE_ENDS_WITH (a process: once it is gone, the store
# is killed), STORE_RETENTION (days, default 60).
set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${STORES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pharos/stores}
days=${STORE_RETENTION:-60}

die() { echo "stores.sh: $*" >&2; exit 1; }
usage() { sed -n '4,7s/^# *//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# debian PACKAGE: unpacks it below the cache, so that no service starts.
debian() {
  [[ ! -e $cache/$1/usr ]] || return 0
  rm -rf "$cache/$1.tmp"
  mkdir -p "$cache/$1.tmp/root"
  (
    cd "$cache/$1.tmp"
    get=(apt-get -qq -o APT::Sandbox::User=root download "$1")
    "${get[@]}" || { apt-get -qq update && "${get[@]}"; }
    dpkg-deb -x ./*.deb root
  ) >&2 || die "the Debian package $1 is not to be had"
  mv "$cache/$1.tmp/root" "$cache/$1"
  rm -rf "$cache/$1.tmp"
}

# jars NAME: the runtime jars of stores/NAME.pom.xml, by its content; sets $lib.
jars() {
  lib=$cache/$1-$(sha256sum <"$here/stores/$1.pom.xml" | cut -c1-12)
  [[ ! -e $lib ]] || return 0
  rm -rf "$lib.tmp"
  mvn -B -q -Dstyle.color=never -f "$here/stores/$1.pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$lib.tmp" >&2 || die "the jars of $1 are not to be had"
  mv "$lib.tmp" "$lib"
}

get() {
  mkdir -p "$cache"
  exec 9>"$cache/lock"
  flock 9
  case $1 in
  prometheus) debian prometheus ;;
  victoria) debian victoria-metrics ;;
  influx) debian influxdb ;;
  kairosdb | opensearch) jars "$1" ;;
  m3db)
    bin=$cache/m3db-$(cat "$here"/../tools/m3db/{go.mod,go.sum,main.go} | sha256sum | cut -c1-12)
    [[ -x $bin ]] || (cd "$here/../tools/m3db" && GOWORK=off GOFLAGS=-mod=mod go build -o "$bin" .) >&2 || die "tools/m3db cannot be built"
    ;;
  *) die "$1 is no store: prometheus, victoria, influx, kairosdb, opensearch, m3db" ;;
  esac
  exec 9>&-
}

running() {
  local pid
  pid=$(cat "$dir/pid" 2>/dev/null) || return 1
  [[ "$(ps -p "$pid" -o args= 2>/dev/null)" == *"$dir"* ]]
}

# launch COMMAND...: in a process group of its own. The command names $dir, by which it is known again.
launch() {
  (cd "$dir" && exec setsid "$@" </dev/null >>"$dir/log" 2>&1) &
  echo $! >"$dir/pid"
  if [[ -n ${STORE_ENDS_WITH:-} ]]; then
    (watch "$STORE_ENDS_WITH" "$(cat "$dir/pid")") >/dev/null 2>&1 </dev/null &
  fi
}

watch() {
  trap '' HUP INT TERM
  while kill -0 "$2"; do
    kill -0 "$1" || kill -9 "$2"
    sleep 1
  done
}

# answers URL [CURL-ARGUMENT...]: waits until it does, with success.
answers() {
  local t
  for ((t = 0; t < 900; t++)); do
    if curl -fsS -m 5 -o /dev/null "$@" 2>/dev/null; then return; fi
    if ! running; then
      sleep 0.5
      running || die "$store has died: $(tail -20 "$dir/log")"
    fi
    sleep 0.2
  done
  die "$store does not serve after 3 minutes: see $dir/log"
}

prometheus() {
  printf 'storage:\n  tsdb:\n    out_of_order_time_window: %sd\n' "$days" >"$dir/prometheus.yml"
  launch "$cache/prometheus/usr/bin/prometheus" --config.file="$dir/prometheus.yml" --storage.tsdb.path="$dir/data" \
    --storage.tsdb.retention.time="${days}d" --web.enable-remote-write-receiver --web.listen-address="127.0.0.1:$port"
  answers "$url/-/ready"
}

victoria() {
  launch "$cache/victoria-metrics/usr/bin/victoria-metrics" -storageDataPath="$dir/data" -retentionPeriod="${days}d" \
    -httpListenAddr="127.0.0.1:$port" -dedup.minScrapeInterval=1ms -search.latencyOffset=0s
  answers "$url/health"
}

influx() {
  cat >"$dir/influxdb.conf" <<TOML
reporting-disabled = true
bind-address = "127.0.0.1:0"
[meta]
  dir = "$dir/meta"
[data]
  dir = "$dir/data"
  wal-dir = "$dir/wal"
[http]
  bind-address = "127.0.0.1:$port"
  log-enabled = false
[monitor]
  store-enabled = false
TOML
  launch "$cache/influxdb/usr/bin/influxd" -config "$dir/influxdb.conf"
  answers "$url/ping"
}

kairosdb() {
  cat >"$dir/kairosdb.conf" <<CONF
kairosdb: {
  service.telnet: "<disabled>"
  service.reporter: "<disabled>"
  jetty: { port: $port, address: "127.0.0.1" }
  datastore.h2.database_path: "$dir/h2"
  query_cache.cache_dir: "$dir/cache"
  queue_processor.queue_path: "$dir/queue"
}
CONF
  echo '<configuration><root level="WARN"/></configuration>' >"$dir/logback.xml"
  mkdir -p "$dir/webroot"
  launch java -Xmx512m -XX:TieredStopAtLevel=1 -Dlogback.configurationFile="$dir/logback.xml" --add-opens java.base/java.lang=ALL-UNNAMED \
    --add-opens java.base/java.util=ALL-UNNAMED -cp "$lib/*" org.kairosdb.core.Main -c run -p "$dir/kairosdb.conf"
  answers "$url/api/v1/health/check"
}

opensearch() {
  mkdir -p "$dir/config"
  launch java -Xms512m -Xmx512m -cp "$lib/*" "$here/stores/OpenSearch.java" "$dir" "$port"
  answers "$url/_cluster/health?wait_for_status=yellow"
}

m3db() {
  local etcd=$((port + 7)) peer=$((port + 8)) api=$url/api/v1/services/m3db
  cat >"$dir/m3db.yml" <<YML
coordinator:
  listenAddress: 127.0.0.1:$port
  metrics:
    scope: {prefix: coordinator}
    prometheus: {handlerPath: /metrics, listenAddress: "127.0.0.1:$((port + 2))"}
    sanitization: prometheus
    samplingRate: 1.0
db:
  listenAddress: 127.0.0.1:$((port + 1))
  clusterListenAddress: 127.0.0.1:$((port + 3))
  httpNodeListenAddress: 127.0.0.1:$((port + 4))
  httpClusterListenAddress: 127.0.0.1:$((port + 5))
  debugListenAddress: 127.0.0.1:$((port + 6))
  filesystem:
    filePathPrefix: $dir/data
  discovery:
    type: config
    config:
      service:
        env: default_env
        zone: embedded
        service: m3db
        cacheDir: $dir/m3kv
        etcdClusters: [{zone: embedded, endpoints: ["127.0.0.1:$etcd"]}]
      seedNodes:
        rootDir: $dir/etcd
        listenPeerUrls: ["http://127.0.0.1:$peer"]
        initialAdvertisePeerUrls: ["http://127.0.0.1:$peer"]
        listenClientUrls: ["http://127.0.0.1:$etcd"]
        advertiseClientUrls: ["http://127.0.0.1:$etcd"]
        initialCluster: [{hostID: m3db_local, endpoint: "http://127.0.0.1:$peer"}]
YML
  launch "$bin" -f "$dir/m3db.yml"
  answers "$url/health"
  if [[ ! -e $dir/placed ]]; then
    answers "$api/placement/init" -d '{"num_shards": 4, "replication_factor": 1, "instances": [{
      "id": "m3db_local", "isolation_group": "local", "zone": "embedded", "weight": 1,
      "endpoint": "127.0.0.1:'$((port + 1))'", "hostname": "127.0.0.1", "port": '$((port + 1))'}]}'
    answers "$api/namespace" -d '{"name": "default", "options": {
      "bootstrapEnabled": true, "flushEnabled": true, "cleanupEnabled": true, "snapshotEnabled": true,
      "writesToCommitLog": true, "repairEnabled": false, "coldWritesEnabled": true,
      "retentionOptions": {"retentionPeriodDuration": "'$((24 * days))'h", "blockSizeDuration": "12h",
        "bufferPastDuration": "1h", "bufferFutureDuration": "10m",
        "blockDataExpiry": true, "blockDataExpiryAfterNotAccessPeriodDuration": "5m"},
      "indexOptions": {"enabled": true, "blockSizeDuration": "12h"},
      "aggregationOptions": {"aggregations": [{"aggregated": false}]}}}'
    touch "$dir/placed"
  fi
  answers "$api/namespace/ready" -d '{"name": "default"}'
  answers "http://127.0.0.1:$((port + 4))/bootstrapped"
  answers "$url/api/v1/query?query=up"
}

# free: the first of nine ports in a row on which nothing listens, below those that systems give to whoever connects.
free() {
  local p q
  for ((p = 15000 + RANDOM % 16000; ; p += 9)); do
    for ((q = p; q < p + 9; q++)); do
      if (exec 3<>"/dev/tcp/127.0.0.1/$q") 2>/dev/null; then continue 2; fi
    done
    echo "$p"
    return
  done
}

command=${1:-}
case $command in
fetch)
  shift
  (($#)) || usage
  for store; do get "$store"; done
  ;;
start)
  (($# >= 3 && $# <= 4)) || usage
  mkdir -p "$3"
  store=$2 dir=$(cd "$3" && pwd)
  [[ -s $dir/port ]] || echo "${4:-$(free)}" >"$dir/port"
  port=$(cat "$dir/port") url=http://127.0.0.1:$(cat "$dir/port")
  if ! running; then
    get "$store"
    "$store"
  fi
  echo "$url"
  ;;
stop | kill)
  (($# == 2)) || usage
  dir=$(cd "$2" && pwd)
  running || exit 0
  pid=$(cat "$dir/pid")
  if [[ $command == stop ]]; then
    kill "$pid"
    for ((t = 0; t < 100; t++)); do
      running || break
      sleep 0.2
    done
  fi
  if running; then kill -9 "$pid"; fi
  while running; do sleep 0.05; done
  rm -f "$dir/pid"
  ;;
*) usage ;;
esac

#!/usr/bin/env bash
# Apache Kafka for tests: KRaft nodes, broker and controller in one, on 127.0.0.1, run from its jars on Maven Central.
#
#   kafka.sh fetch                            get the jars, once
#   kafka.sh start DIR [NODES=1] [PORT=19092] start the cluster of DIR, or make one; print its bootstrap servers once it serves
#   kafka.sh stop DIR                         stop all nodes; the data stays
#   kafka.sh kill DIR NODE                    kill -9 node 1..NODES
#   kafka.sh node DIR NODE                    start a node again
#
# Node i listens on PORT+i-1, and on PORT+NODES+i-1 for controllers. NODES is 1 or 3; of 3 nodes, each has all data and two
# must have a write. The jars stay in KAFKA_JARS (~/.cache/pharos/kafka-VERSION). Needs Java 17+, mvn, setsid, flock, ps.
# Environment: KAFKA_VERSION, KAFKA_HEAP, KAFKA_PROPS (more broker properties of a new cluster, one a line), KAFKA_ENDS_WITH
# (a process: once it is gone, the nodes are killed).
set -euo pipefail

version=${KAFKA_VERSION:-4.3.1}
log4j=2.25.4
jars=${KAFKA_JARS:-${XDG_CACHE_HOME:-$HOME/.cache}/pharos/kafka-$version}

die() { echo "kafka.sh: $*" >&2; exit 1; }
usage() { sed -n '3,7s/^# *//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# fetch resolves the jars; the stamp comes last, so half a download is never taken for a whole one.
fetch() {
  mkdir -p "$jars"
  exec 9>"$jars/.lock"
  flock 9
  if [[ ! -e $jars/.complete ]]; then
    cat >"$jars/pom.xml" <<EOF
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>$log4j</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>$log4j</version></dependency>
</dependencies></project>
EOF
    mvn -B -q -Dstyle.color=never -f "$jars/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$jars" >&2 ||
      die "the jars of Kafka $version are not to be had"
    touch "$jars/.complete"
  fi
  exec 9>&-
}

# running NODE: does it live, and is the process still ours?
running() {
  local pid
  pid=$(cat "$dir/node-$1/pid" 2>/dev/null) || return 1
  [[ "$(ps -p "$pid" -o args= 2>/dev/null)" == *"$dir/node-$1/server.properties"* ]]
}

configure() {
  local i n voters='' isr=$((nodes > 1 ? 2 : 1))
  for ((i = 1; i <= nodes; i++)); do voters+="${voters:+,}$i@127.0.0.1:$((port + nodes + i - 1))"; done
  cat >"$dir/log4j2.properties" <<'EOF'
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server
logger.server.level = info
EOF
  for ((i = 1; i <= nodes; i++)); do
    n=$dir/node-$i
    mkdir -p "$n"
    cat >"$n/server.properties" <<EOF
process.roles=broker,controller
node.id=$i
controller.quorum.voters=$voters
listeners=PLAINTEXT://127.0.0.1:$((port + i - 1)),CONTROLLER://127.0.0.1:$((port + nodes + i - 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$((port + i - 1))
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$n/data
auto.create.topics.enable=false
default.replication.factor=$nodes
min.insync.replicas=$isr
offsets.topic.replication.factor=$nodes
offsets.topic.num.partitions=6
transaction.state.log.replication.factor=$nodes
transaction.state.log.min.isr=$isr
transaction.state.log.num.partitions=6
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
log.segment.bytes=67108864
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
${KAFKA_PROPS:-}
EOF
  done
  printf 'nodes=%s\nport=%s\n' "$nodes" "$port" >"$dir/cluster.new"
  mv "$dir/cluster.new" "$dir/cluster"
}

# launch NODE: format its storage if it has none, then start it.
launch() {
  local n=$dir/node-$1
  ! running "$1" || return 0
  if [[ ! -e $n/data/meta.properties ]]; then
    [[ -s $dir/id ]] || printf 'K%s' "$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c2-22)" >"$dir/id"
    java -Xmx256m -Dlog4j2.configurationFile="$dir/log4j2.properties" -cp "$jars/*" kafka.tools.StorageTool format --ignore-formatted \
      -t "$(cat "$dir/id")" -c "$n/server.properties" >"$n/format.log" 2>&1 || die "node $1 cannot be formatted: $(tail -5 "$n/format.log")"
  fi
  [[ ! -e $n/log ]] || mv "$n/log" "$n/log.previous"
  (cd "$n" && exec setsid java -Xms128m -Xmx"${KAFKA_HEAP:-512m}" -XX:+UseG1GC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError \
    -Dlog4j2.configurationFile="$dir/log4j2.properties" -cp "$jars/*" kafka.Kafka "$n/server.properties") \
    >"$n/log" 2>&1 </dev/null &
  echo $! >"$n/pid"
  if [[ -n ${KAFKA_ENDS_WITH:-} ]]; then
    (watch "$KAFKA_ENDS_WITH" "$(cat "$n/pid")") >/dev/null 2>&1 </dev/null &
  fi
}

# watch PID NODE_PID: kills the node once the other is gone, so that tests that are killed leave no broker behind.
watch() {
  trap '' HUP INT TERM
  while kill -0 "$2"; do
    kill -0 "$1" || kill -9 "$2"
    sleep 1
  done
}

# serves NODE: waits until it says that it has started; a slow machine may take minutes.
serves() {
  local n=$dir/node-$1 t
  for ((t = 0; t < 900; t++)); do
    if grep -q 'Kafka Server started' "$n/log" 2>/dev/null; then return; fi
    if ! running "$1"; then
      sleep 0.5
      running "$1" || die "node $1 has died: $(tail -20 "$n/log")"
    fi
    sleep 0.2
  done
  die "node $1 does not serve after 3 minutes: see $n/log"
}

# halt NODE...: TERM all, then KILL what is left: the last nodes of a quorum cannot hand over what they lead.
halt() {
  local i t
  for i; do ! running "$i" || kill "$(cat "$dir/node-$i/pid")" 2>/dev/null || true; done
  for i; do
    for ((t = 0; t < 100; t++)); do
      running "$i" || break
      sleep 0.1
    done
    ! running "$i" || kill -9 "$(cat "$dir/node-$i/pid")"
    rm -f "$dir/node-$i/pid"
  done
}

bootstrap() {
  local i out=''
  for ((i = 1; i <= nodes; i++)); do out+="${out:+,}127.0.0.1:$((port + i - 1))"; done
  echo "$out"
}

command=${1:-}
if [[ $command == fetch ]]; then
  fetch
  exit
fi
(($# >= 2)) || usage
dir=$2
if [[ $command == start ]]; then mkdir -p "$dir"; fi
dir=$(cd "$dir" && pwd)
if [[ -e $dir/cluster ]]; then
  nodes=$(sed -n 's/^nodes=//p' "$dir/cluster")
  port=$(sed -n 's/^port=//p' "$dir/cluster")
elif [[ $command != start ]]; then
  die "no cluster in $dir"
fi

case $command in
start)
  if [[ ! -e $dir/cluster ]]; then
    nodes=${3:-1} port=${4:-19092}
    [[ $nodes == 1 || $nodes == 3 ]] || die "NODES is 1 or 3"
    configure
  fi
  fetch
  for ((i = 1; i <= nodes; i++)); do launch "$i"; done
  for ((i = 1; i <= nodes; i++)); do serves "$i"; done
  bootstrap
  ;;
stop)
  # shellcheck disable=SC2046
  halt $(seq "$nodes")
  ;;
kill)
  running "${3:?NODE}" || die "node $3 does not run"
  kill -9 "$(cat "$dir/node-$3/pid")"
  while running "$3"; do sleep 0.05; done
  ;;
node)
  halt "${3:?NODE}"
  launch "$3"
  serves "$3"
  ;;
*) usage ;;
esac

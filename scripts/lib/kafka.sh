# shellcheck shell=bash
# Apache Kafka for scripts/servers: one node that is broker and controller (KRaft), run from its artifacts on Maven Central.
# $dir, $name, $host and $port are those of the server in hand, $lib is the folder of this file.

kafka_version=$(sed -n '/<artifactId>kafka_/,/<version>/s:.*<version>\(.*\)</version>:\1:p' "$lib/kafka-pom.xml")

# brew leaves its java out of the PATH.
PATH=${HOMEBREW_PREFIX:-/opt/homebrew}/opt/openjdk/bin:$PATH
kafka_jars=${XDG_CACHE_HOME:-$HOME/.cache}/rialto/kafka-$kafka_version

kafka_install() {
    # macOS has a java that only says that there is no Java, so it is run.
    java -version >/dev/null 2>&1 || install_package default-jre-headless java-17-openjdk-headless openjdk
    java -version >/dev/null 2>&1 || fail "there is still no java that runs"
    [ ! -d "$kafka_jars" ] || return 0
    has mvn || install_package maven maven maven
    say "fetching Apache Kafka $kafka_version from Maven Central into $kafka_jars"
    mkdir -p "$(dirname "$kafka_jars")"
    # Fetched aside and moved: a download that was cut off never passes for a whole one.
    local aside
    aside=$(mktemp -d "$kafka_jars.XXXXXX")
    mvn --quiet --batch-mode --file "$lib/kafka-pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$aside" >"$dir/$name.log" 2>&1 || {
        rm -rf "$aside"
        fail "Maven could not fetch Apache Kafka $kafka_version, see $dir/$name.log"
    }
    chmod 755 "$aside"
    # Another copy of this script may have been faster.
    if [ -d "$kafka_jars" ]; then rm -rf "$aside"; else mv "$aside" "$kafka_jars"; fi
}

# The second port is the controller's: nobody but the broker itself goes there.
kafka_start() {
    local controller=$((port + 1))
    cat >"$dir/$name.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$host:$controller
listeners=PLAINTEXT://$host:$port,CONTROLLER://$host:$controller
advertised.listeners=PLAINTEXT://$host:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/$name
num.network.threads=2
num.io.threads=2
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=6
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
# Each partition allocates its index files whole, and tests make many topics.
log.index.size.max.bytes=1048576
# The default takes a quarter of the heap.
log.cleaner.dedupe.buffer.size=16777216
PROPERTIES
    # Any cluster id will do as long as it stays: this one is rialto-kafka-001 in base64.
    [ -f "$dir/$name/meta.properties" ] ||
        kafka_java kafka.tools.StorageTool format --ignore-formatted --cluster-id cmlhbHRvLWthZmthLTAwMQ \
            --config "$dir/$name.properties" >"$dir/$name.log" 2>&1 || fail "Kafka could not format its storage, see $dir/$name.log"
    in_background java -Xms512m -Xmx512m -Djava.awt.headless=true "-Dlog4j.configuration=file:$lib/kafka-log4j.properties" \
        -cp "$kafka_jars/*" kafka.Kafka "$dir/$name.properties"
}

kafka_java() { java -Xmx128m "-Dlog4j.configuration=file:$lib/kafka-log4j.properties" -cp "$kafka_jars/*" "$@"; }

# Asks for the cluster's metadata (key 3, version 1, no topics) and looks whether a broker is in the answer: it is listed once it has
# registered with the controller and is unfenced. Spoken by hand, since Kafka's own tools take a second of two cores to start.
kafka_answers() {
    # shellcheck disable=SC2016  # the inner bash expands it
    timeout 5 bash -c '
        exec 3<>"/dev/tcp/$1/$2"
        printf "\0\0\0\16\0\3\0\1\0\0\0\1\377\377\0\0\0\0" >&3
        brokers=$(head -c 12 <&3 | od -An -tu1 | awk "{ print \$12 }")
        [ "${brokers:-0}" -ge 1 ]' kafka_answers "$host" "$port"
}

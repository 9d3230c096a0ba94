#!/bin/sh
# One step of a rolling upgrade: asks whether a node may be replaced, replaces it, and waits until the cluster is safe
# again. docs/upgrading-elasticsearch.md tells the whole story.
#
#   CLUSTER=https://es.example.com:9200 upgrade-step.sh NODE COMMAND [ARGUMENT]...
#
# NODE is the node's name in the cluster. COMMAND replaces it, and ends once the new node has joined the cluster.
#
#   CLUSTER      the address of the cluster; or its name, as clusters of an environment are called
#   ENVIRONMENT  the environment that knows the cluster's name and credentials; not needed with an address
#   HOW          replace: the node goes with its data, the cluster copies them anew (the default)
#                restart: it comes back with its data; allocation is held back meanwhile
#                drain:   it is emptied first, for which the other nodes need the room
#   WAIT         how long to wait for the cluster, before the node is replaced and afterwards (30m)
#   STABLE       how long nothing must change before shards without a node are judged (60s)
#   WATCHBELL    the program (watchbell)
#
# It ends with 0 once the next node may follow. Otherwise the deployment has to stop: 1 not safe, 2 could not tell,
# 3 still changing when the time was over, 4 COMMAND failed, 64 called in a wrong way.
set -u

if [ $# -lt 2 ] || [ -z "${CLUSTER:-}" ]; then
    echo "usage: CLUSTER=URL|NAME [ENVIRONMENT=NAME] [HOW=replace|restart|drain] upgrade-step.sh NODE COMMAND..." >&2
    exit 64
fi
node=$1
shift
how=${HOW:-replace}

gate() {
    "${WATCHBELL:-watchbell}" upgrade-gate --cluster "$CLUSTER" ${ENVIRONMENT:+-e "$ENVIRONMENT"} \
        --wait "${WAIT:-30m}" --stable "${STABLE:-60s}" "$@"
}

# What the step wrote into the cluster's settings goes, whatever becomes of the step.
put_back() {
    [ "$how" = replace ] || gate --put-back
}

echo "may $node go?"
case $how in
    replace) gate --node "$node" ;;
    restart) gate --node "$node" --disable-allocation --until ready ;;
    drain) gate --drain "$node" --until ready ;;
    *) echo "HOW=$how: replace, restart and drain are known" >&2; exit 64 ;;
esac
code=$?
if [ $code -ne 0 ]; then
    echo "$node was not touched" >&2
    exit $code
fi

trap 'put_back; exit 130' INT
trap 'put_back; exit 143' TERM HUP

echo "replacing $node: $*"
"$@"
code=$?
if [ $code -ne 0 ]; then
    put_back
    echo "\`$*\` ended with $code: look after $node before you go on" >&2
    exit 4
fi

echo "is the cluster safe with the new $node?"
put_back && gate
code=$?
if [ $code -ne 0 ]; then
    echo "$node was replaced, and the cluster is not safe: do not go on with another node" >&2
fi
exit $code

#!/bin/sh
# One step of a rolling upgrade: checks whether a node may be replaced, replaces it, and waits until the cluster is safe
# again. See docs/upgrading-elasticsearch.md.
#
#   CLUSTER=https://es.example.com:9200 upgrade-step.sh NODE COMMAND [ARGUMENT]...
#
# NODE is the node's name in the cluster. COMMAND replaces it, and ends once the new node has joined the cluster.
#
#   CLUSTER      the cluster's address, or its name in the environment
#   ENVIRONMENT  the environment with the cluster's name and credentials; not needed with an address
#   HOW          replace: the node's data is discarded, and the cluster copies it again (the default)
#                restart: the node keeps its data; allocation is disabled meanwhile
#                drain:   the node is emptied first; the other nodes need enough space
#   WAIT         how long to wait for the cluster, both before and after the node is replaced (30m)
#   STABLE       how long the unassigned shards must stay the same before they are judged (60s)
#   WATCHBELL    the program (watchbell)
#
# Exits with 0 once the next node may follow. Otherwise stop the deployment: 1 not safe, 2 could not tell, 3 still changing
# after WAIT, 4 COMMAND failed, 64 usage error.
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

# Undoes the step's changes to the cluster's settings, whether the step succeeded or not.
put_back() {
    [ "$how" = replace ] || gate --put-back
}

echo "may $node be replaced?"
case $how in
    replace) gate --node "$node" ;;
    restart) gate --node "$node" --disable-allocation --until ready ;;
    drain) gate --drain "$node" --until ready ;;
    *) echo "HOW=$how is not valid: use replace, restart or drain" >&2; exit 64 ;;
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
    echo "\`$*\` exited with $code: check $node before you continue" >&2
    exit 4
fi

echo "is the cluster safe with the new $node?"
put_back && gate
code=$?
if [ $code -ne 0 ]; then
    echo "$node was replaced, but the cluster is not safe: do not continue with another node" >&2
fi
exit $code

#!/usr/bin/env bash
# A head on this machine, and machines that join it by hand. See README.md beside it.
#   cluster/local.sh head                  on the first machine
#   cluster/local.sh join HEAD:6379        on every other one, with the head's token in ~/.ray/auth_token
#   cluster/local.sh down                  on each of them: ends all Ray processes of yours there
# Options of `ray start` may follow, such as --num-cpus 8 --num-gpus 1. QIPO_PORT, QIPO_DASHBOARD_PORT and
# QIPO_AGENT_PORT move a second cluster on one machine out of the way of the first.
set -euo pipefail

export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
# A job that is stopped has so long to save; a sweep leaves earlier if it can.
export RAY_JOB_STOP_WAIT_TIME_S="${RAY_JOB_STOP_WAIT_TIME_S:-60}"
agent="${QIPO_AGENT_PORT:-52365}"

usage() {
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

# Only its owner may read the token: whoever has it runs code as you.
own_token() {
    local token="$HOME/.ray/auth_token"
    if [[ ! -s $token ]]; then
        if [[ $1 == join ]]; then
            echo "error: no token in $token: copy it from the head, and chmod 600 it" >&2
            exit 2
        fi
        (umask 077 && ray get-auth-token --generate >/dev/null 2>&1)
    fi
    chmod 700 "$HOME/.ray"
    chmod 600 "$token"
}

case "${1:-}" in
head)
    shift
    own_token head
    ulimit -n "$(ulimit -Hn)"
    ray start --head --port "${QIPO_PORT:-6379}" --dashboard-port "${QIPO_DASHBOARD_PORT:-8265}" \
        --dashboard-agent-listen-port "$agent" "$@"
    echo "submit: qipo-ray submit quickstart --address http://127.0.0.1:${QIPO_DASHBOARD_PORT:-8265} --results /abs/path"
    ;;
join)
    [[ $# -ge 2 ]] || usage
    head="$2"
    shift 2
    own_token join
    ulimit -n "$(ulimit -Hn)"
    # Without a limit Ray would wait for a head that is gone for ten minutes.
    timeout 120 ray start --address "$head" --dashboard-agent-listen-port "$agent" "$@"
    ;;
down)
    timeout 120 ray stop --grace-period 60
    ;;
*)
    usage
    ;;
esac

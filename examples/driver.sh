#!/bin/sh
# A driver for `hangup prove` and `hangup audit` in sh and curl: all requests of HANGUP_STEPS in one
# curl, so that they share its connections.
#
#     hangup prove --mode close-on-reuse --over h1 -- examples/driver.sh
#     hangup audit --suite stale -- examples/driver.sh --retry 1
#
# Its options are curl's, for each request. With a pause among the steps curl waits that long before
# each request (--rate, which takes curl 7.84). What happens in the middle of requests (get*N,
# background, foreground) it cannot do; examples/driver.py can.
set -eu
steps=${HANGUP_STEPS:-get get pause get}
rate=
n=0

config() { # STEP [CURL'S LINES]
    n=$((n + 1))
    [ "$n" = 1 ] || echo next
    printf '%s\n' "url = \"$HANGUP_URL/api/entitlement/get\"" 'output = "/dev/null"' 'max-time = 10' \
        "header = \"Hangup-Call: $n\"" "$2" "$options" \
        "write-out = \"$n\\t$1\\t%{http_code}\\t%{time_total}\\t%{errormsg}\\n\""
}

options=
while [ $# -gt 0 ]; do
    case ${2:--} in
    -*) options="$options
${1#--}" && shift ;;
    *) options="$options
${1#--} = \"$2\"" && shift 2 ;;
    esac
done

echo '{"driver":1}' >> "$HANGUP_REPORT"
for step in $steps; do
    case $step in
    pause) rate=$(echo "$HANGUP_PAUSE" | awk '{ printf "%d/h", 3600 / ($1 > 0.001 ? $1 : 0.001) }') ;;
    get | post | post-key) ;;
    *) echo "driver.sh: it cannot do the step $step" >&2 && exit 2 ;;
    esac
done
for step in $steps; do
    case $step in
    get) config get '' ;;
    post) config post 'data = "receipt=MIAGCSqGSIb3"' ;;
    post-key) config post-key "data = \"receipt=MIAGCSqGSIb3\"
header = \"Idempotency-Key: $$-$n\"" ;;
    esac
done | curl --silent --config - ${rate:+--rate "$rate"} |
    awk -F '\t' '{
        gsub(/["\\]/, "", $5)
        printf "{\"n\":%d,\"step\":\"%s\",\"ok\":%s,\"status\":%d,\"ms\":%.1f,\"error\":\"%s\"}\n",
            $1, $2, $3 ~ /^2/ && $5 == "" ? "true" : "false", $3, $4 * 1000, $5
    }' >> "$HANGUP_REPORT"

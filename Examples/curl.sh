#!/usr/bin/env bash
# The HTTP interface of Apus from start to end: makes topics, publishes, reads, follows, makes mistakes, deletes.
#
#   Examples/curl.sh [URL]          for example http://localhost:8080/v1; with API keys: APUS_API_KEY=secret
set -euo pipefail

url=${1:-http://localhost:8080}
topic=curl-example
headers=()
[[ -z ${APUS_API_KEY:-} ]] || headers+=(-H "X-API-Key: $APUS_API_KEY")

# request METHOD PATH [BODY] [curl's options]; the body is JSON unless `type` says otherwise.
request() {
    local method=$1 path=$2 body=${3:-}
    shift $(($# < 3 ? $# : 3))
    printf '\n$ %s %s %s\n' "$method" "$path" "$body"
    curl --silent --show-error --write-out '\n%{http_code}\n' --request "$method" "${headers[@]}" "$@" \
        --header "Content-Type: ${type:-application/json}" ${body:+--data-binary "$body"} "$url$path"
}

request GET /health
request POST /topics "{\"name\":\"$topic\"}"
request GET /topics
request GET /stats

# Settings of its own: a longer history, and repeats within two minutes recognized.
request PUT "/topics/$topic" '{"history":1000,"history_age":"1h","dedupe_window":"2m"}'

# The body is the payload. The second one has the id of the first: 200, "duplicate":true, and it is not published again.
request POST "/topics/$topic/messages" '{"order":"ORD-123"}' -H 'Idempotency-Key: order-123'
request POST "/topics/$topic/messages" '{"order":"ORD-123"}' -H 'Idempotency-Key: order-123'

# Text, with a key and a lifetime; and a batch, a payload a line.
type=text/plain request POST "/topics/$topic/messages?key=greeting&ttl=30s" 'hello'
type=application/x-ndjson request POST "/topics/$topic/messages" $'{"n":1}\n{"n":2}'

# What is kept, in pages: "next" is the "after" of the next one. With "wait" the last page waits for more.
request GET "/topics/$topic/messages?since=10m&limit=2"
request GET "/topics/$topic/messages?after=2&limit=2"
request GET "/topics/$topic/messages?after=4&wait=1s"

# An event stream, for two seconds.
printf '\n$ GET /topics/%s/events?last_n=2\n' "$topic"
curl --silent --no-buffer --max-time 2 "${headers[@]}" "$url/topics/$topic/events?last_n=2" || true

request GET "/topics/$topic"
request GET "/subscribers?sort=lag&limit=10"

# It exists: 409, an application/problem+json with the code TOPIC_EXISTS.
request POST /topics "{\"name\":\"$topic\"}"

# No name: 400, BAD_REQUEST.
request POST /topics '{}'

# A slash in a name is written %2F in a path.
request POST /topics '{"name":"a/b"}'
request DELETE /topics/a%2Fb

request DELETE "/topics/$topic"

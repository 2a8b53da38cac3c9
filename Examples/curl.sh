#!/usr/bin/env bash
# The REST interface of Apus from start to end: makes a topic, looks at it, makes two mistakes, deletes it.
#
#   Examples/curl.sh [URL]          for example http://localhost:8080/v1; with API keys: APUS_API_KEY=secret
set -euo pipefail

url=${1:-http://localhost:8080}
topic=curl-example
headers=(-H 'Content-Type: application/json')
[[ -z ${APUS_API_KEY:-} ]] || headers+=(-H "X-API-Key: $APUS_API_KEY")

request() {
    printf '\n$ %s %s %s\n' "$1" "$2" "${3:-}"
    curl --silent --show-error --write-out '\n%{http_code}\n' --request "$1" "${headers[@]}" ${3:+--data "$3"} "$url$2"
}

request GET /health
request POST /topics "{\"name\":\"$topic\"}"
request GET /topics
request GET /stats

# It exists: 409, an application/problem+json with the code TOPIC_EXISTS.
request POST /topics "{\"name\":\"$topic\"}"

# No name: 400, BAD_REQUEST.
request POST /topics '{}'

# A slash in a name is written %2F in a path.
request POST /topics '{"name":"a/b"}'
request DELETE /topics/a%2Fb

request DELETE "/topics/$topic"

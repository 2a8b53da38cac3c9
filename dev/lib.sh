# shellcheck shell=bash
# Sourced by the scripts in this folder: where the repository is, how to complain, and timed stages whose test counts add up.

# shellcheck disable=SC2034 # read by the scripts
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

note() { printf '%s\n' "$*" >&2; }

die() {
    note "dev/${0##*/}: $*"
    exit 1
}

# tally_open: makes this script's stages count into one file. A script called by another one counts into the caller's
# file; the outermost one prints how long each stage took and, as the last line, the sum, whether the stages passed or not.
tally_open() {
    [[ -z ${APUS_TALLY:-} ]] || return 0
    APUS_TALLY=$(mktemp)
    export APUS_TALLY
    trap tally_close EXIT
}

tally_close() {
    local status=$?
    # A stage can fail without a failed test (lint, a compiler error): that must not read "0 failed".
    if [[ $status -ne 0 ]]; then
        awk '$1 == "tests" && $3 > 0 { found = 1 } END { exit !found }' "$APUS_TALLY" || echo 'tests 0 1 0' >>"$APUS_TALLY"
    fi
    printf '\n== Seconds\n'
    awk '$1 == "stage" { whole += $2; printf "%6d ", $2; $1 = $2 = ""; print }
        END { printf "%6d   all stages\n\n", whole }' "$APUS_TALLY"
    awk '$1 == "tests" { passed += $2; failed += $3; skipped += $4 }
        END {
            printf "%d passed, %d failed", passed, failed
            if (skipped > 0) printf ", %d skipped", skipped
            printf "\n"
        }' "$APUS_TALLY"
    rm -f "$APUS_TALLY"
    exit "$status"
}

# stage HEADING COMMAND…: runs the command under a heading and says how long it took; ends the script when it fails.
stage() {
    local heading=$1 begin=$SECONDS status=0
    shift
    printf '\n== %s\n' "$heading"
    "$@" </dev/null || status=$?
    printf '== %s: %s after %d s\n' "$heading" "$(outcome "$status")" $((SECONDS - begin))
    echo "stage $((SECONDS - begin)) $heading" >>"$APUS_TALLY"
    [[ $status -eq 0 ]] || exit "$status"
}

# test_stage HEADING COMMAND…: a stage that must run at least one test. What its runner counted goes to the tally.
test_stage() {
    stage "$1" counted "${@:2}"
}

counted() {
    local log status=0 counts
    log=$(mktemp)
    "$@" 2>&1 | tee "$log" || status=$?
    counts=$(count_tests "$log")
    rm -f "$log"
    echo "tests $counts" >>"$APUS_TALLY"
    if [[ $status -eq 0 && $counts == '0 0 '* ]]; then
        note "no test was run by: $*"
        return 1
    fi
    return "$status"
}

outcome() {
    if [[ $1 -eq 0 ]]; then echo passed; else echo "FAILED (exit $1)"; fi
}

# count_tests LOG: prints "PASSED FAILED SKIPPED". Swift Testing is counted by its line for each test, anything else
# (pytest, the Autobahn runner) by its closing line of the form "12 passed, 1 failed, 2 skipped".
count_tests() {
    awk '
        / Test run with [0-9]+ test/ || / Test case passing / { next }
        /^[^ ]+ Test .* passed after [0-9.]+ seconds/ { passed++; next }
        /^[^ ]+ Test .* failed after [0-9.]+ seconds/ { failed++; next }
        /^[^ ]+ Test .* skipped/ { skipped++; next }
        /^(=+ )?[0-9]+ (passed|failed|errors?|skipped)(,| in |$)/ { closing = $0 }
        END {
            count = split(closing, words, /[ ,=]+/)
            for (i = 2; i <= count; i++) {
                if (words[i] == "passed") passed += words[i - 1]
                if (words[i] == "failed" || words[i] ~ /^errors?$/) failed += words[i - 1]
                if (words[i] == "skipped") skipped += words[i - 1]
            }
            printf "%d %d %d\n", passed, failed, skipped
        }' "$1"
}

# require_swift: Apus cannot install the toolchain by itself, so its absence is said in one sentence.
require_swift() {
    command -v swift >/dev/null ||
        die "no 'swift' on the PATH; install a Swift 6.3 toolchain (https://www.swift.org/install) and try again"
    local version
    # Before `dev/install` the toolchain may lack libraries to run with, and so say nothing.
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' || true)
    case $version in
        6\ [0-1] | [0-5]\ *) die "Swift ${version/ /.} is too old: Apus needs 6.2 or newer" ;;
    esac
}

#!/usr/bin/env bash
# fuzz/run.sh SECONDS [TARGET…]: builds the targets and gives each (all, if none is named) that much CPU time of its own.
# Prints a table: target, CPU seconds, executions, crashes. Ends with 1 if anything crashed; what did lies in fuzz/artifacts.
#   JOBS        targets at a time (2)
#   FUZZ_BUILD  where the build goes (fuzz/target)
#   FUZZ_BUILT  not empty: what was built there is run as it is
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?"usage: fuzz/run.sh SECONDS [TARGET…]"}
shift
jobs=${JOBS:-2}
build=${FUZZ_BUILD:-$PWD/target}
# Longer inputs reach nothing new and only slow the fuzzer down; the corpus in the tree keeps the same bound.
len_max=4096
rss_mb_max=2048
# One round by the clock. CPU time is counted, as a busy machine gives less than that, and rounds follow until it is enough.
round_s=60
# SQLite's one file holds a table of the same name twice, each for a part of its own: no finding.
export ASAN_OPTIONS=detect_odr_violation=0
# A target that ends so often is broken and is left.
crashes_max=3

[ -n "${FUZZ_BUILT:-}" ] || cargo +nightly fuzz build --target-dir "$build" >&2
programs=$build/$(rustc +nightly -vV | sed -n 's/^host: //p')/release
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

one() {
  local name=$1 used=0 runs=0 crashes=0 place="$scratch/$1"
  mkdir -p "$place/found" "artifacts/$name"
  cp -r "corpus/$name" "$place/seeds"
  local TIMEFORMAT='%U'
  while [ "${used%.*}" -lt "$seconds" ] && [ "$crashes" -lt "$crashes_max" ]; do
    { time "$programs/$name" "$place/found" "$place/seeds" -max_total_time=$round_s -max_len=$len_max \
      -rss_limit_mb=$rss_mb_max -timeout=25 -print_final_stats=1 -artifact_prefix="artifacts/$name/" \
      >"$place/log" 2>&1 || crashes=$((crashes + 1)); } 2>"$place/cpu"
    used=$(echo "$used $(tail -n 1 "$place/cpu")" | awk '{ printf "%.1f", $1 + $2 }')
    runs=$((runs + $(sed -n 's/^stat::number_of_executed_units: *//p' "$place/log" | tail -n 1 | grep . || echo 0)))
  done
  printf '| %s | %s | %s | %s |\n' "$name" "${used%.*}" "$runs" "$crashes"
  [ "$crashes" = 0 ] || { tail -n 40 "$place/log" >&2; touch "$scratch/crashed"; }
  rm -rf "$place"
}

[ "$#" -gt 0 ] || set -- $(ls corpus)
printf '| target | CPU seconds | executions | crashes |\n|---|---|---|---|\n'
for name in "$@"; do
  while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
  one "$name" &
done
wait
[ ! -e "$scratch/crashed" ]

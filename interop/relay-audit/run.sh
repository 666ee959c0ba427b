#!/usr/bin/env bash
# An outsider's reading of what `tessera relay simulate` writes: true mechanisms are not contradicted, and what is broken is told.
# usage: run.sh path/to/tessera
set -euo pipefail
tessera=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME="$scratch"
seed=2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a

simulate() { "$tessera" relay simulate --rounds 60000 --seed "$seed" --out "$@" >/dev/null 2>&1; }
read_it() { python3 "$here/read.py" "$1" >"$1.json"; }

# Every ε of the tables, with a load of its own and none, in every view.
for epsilon in 0.1 0.5 1; do
  simulate "$scratch/laplace-$epsilon" --cover-traffic-epsilon "$epsilon" --load binomial:0.05
  simulate "$scratch/gauss-$epsilon" --dp-epsilon "$epsilon" --world-a bucket:1
  simulate "$scratch/unfilled-$epsilon" --dp-epsilon "$epsilon" --view unfilled
  simulate "$scratch/published-$epsilon" --dp-epsilon "$epsilon" --view published
  for name in laplace gauss unfilled published; do read_it "$scratch/$name-$epsilon"; done
done
simulate "$scratch/presence" --nodes 1 --world-a offline --cover-traffic-epsilon 0.5
read_it "$scratch/presence"

# One relay without covers does not hide who is online, and claims nothing else: the reader must see that.
simulate "$scratch/bare" --nodes 1 --world-a offline
if read_it "$scratch/bare"; then echo "presence without covers was not seen"; exit 1; fi

# A claim that is too small, an edited line, a line too few: each is told.
cp -r "$scratch/gauss-1" "$scratch/claimed"
python3 - "$scratch/claimed/simulation.json" <<'PY'
import json, sys
told = json.load(open(sys.argv[1]))
told["claim"]["epsilon"] = 0.1
json.dump(told, open(sys.argv[1], "w"))
PY
if read_it "$scratch/claimed"; then echo "a claim of a tenth of the loss was believed"; exit 1; fi
cp -r "$scratch/gauss-1" "$scratch/edited"
sed -i '1s/.*/0/' "$scratch/edited/world-a/null.txt"
if read_it "$scratch/edited" 2>/dev/null; then echo "an edited line was not seen"; exit 1; fi
cp -r "$scratch/gauss-1" "$scratch/short"
sed -i '$d' "$scratch/short/world-a/null.txt"
if read_it "$scratch/short" 2>/dev/null; then echo "a line too few was not seen"; exit 1; fi
echo "relay-audit: 13 simulations read and not contradicted; 4 broken ones told"

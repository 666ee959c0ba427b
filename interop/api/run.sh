#!/usr/bin/env bash
# The HTTP API as a fuzzer of other people's making sees it: no 5xx, no answer that the document does not declare.
# Usage: run.sh PATH-OF-TESSERA   (installs its tools into a scratch virtual environment)
set -euo pipefail
binary=$1
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi; rm -rf "$scratch"' EXIT

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
"$scratch/venv/bin/openapi-spec-validator" "$here/../../docs/openapi.json"

XDG_CONFIG_HOME="$scratch" "$binary" demo --json --port 0 >"$scratch/demo.json" 2>"$scratch/demo.log" &
pid=$!
for _ in $(seq 120); do
  [ -s "$scratch/demo.json" ] && break
  kill -0 "$pid" || { cat "$scratch/demo.log"; exit 1; }
  sleep 0.5
done
read -r url token < <(python3 "$here/token.py" "$scratch/demo.json")

# Left out: what would end the fuzzer's own access, and the one body (PEM) that it cannot make.
"$scratch/venv/bin/schemathesis" run "$url/openapi.json" \
  --header "Authorization: Bearer $token" \
  --include-path-regex '^/(api/v1|oauth/token)' \
  --exclude-operation-id revokeServiceAccount --exclude-operation-id rotateServiceAccountSecret \
  --exclude-operation-id putKeyCertificate --exclude-operation-id endSession \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
  --phases examples,coverage,fuzzing --max-examples "${SCHEMATHESIS_EXAMPLES:-25}" --seed 1 --no-color \
  >"$scratch/schemathesis.log" 2>&1 || { tail -n 150 "$scratch/schemathesis.log"; exit 1; }
grep -E "generated|Tested" "$scratch/schemathesis.log"

#!/usr/bin/env bash
# The same with curl:  CLIENT_ID=… CLIENT_SECRET=… examples/agency.sh letter.pdf sealed.pdf METADATA.json
# METADATA.json: {"type":"letter","number":"045/12/2026","title":"…","signatory":"…","issued_on":"2026-11-22"}
set -euo pipefail
source=$1 target=$2 metadata=$3
base=${BASE_URL:-http://127.0.0.1:8000}

member() { # the string member $1 of the JSON object on standard input
  sed -nE "s/.*\"$1\": ?\"([^\"]*)\".*/\1/p" | head -n 1
}

# Secrets go through standard input: command lines are seen by every process on the machine.
token=$(
  printf 'user = "%s:%s"\n' "$CLIENT_ID" "$CLIENT_SECRET" |
    curl --fail-with-body --silent --show-error --config - \
      --data grant_type=client_credentials "$base/oauth2/token" | member access_token
)

# The same file with the same facts is the same request: a retry never seals twice.
key=$(cat "$source" "$metadata" | openssl dgst -sha256 -r | cut -d ' ' -f 1)
printf 'header = "Authorization: Bearer %s"\n' "$token" |
  curl --fail-with-body --silent --show-error --config - \
    --header "Idempotency-Key: $key" --header "Accept: application/pdf" \
    --form "file=@$source;type=application/pdf" --form "metadata=<$metadata" \
    --output "$target" "$base/v1/documents" || { cat "$target" >&2; rm -f "$target"; exit 1; }
echo "Sealed    $target"

outcome=$(curl --fail-with-body --silent --show-error --form "file=@$target" "$base/v1/verifications" | member outcome)
echo "Verified  $outcome"
[ "$outcome" = valid ]

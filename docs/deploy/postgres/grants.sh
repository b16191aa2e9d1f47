#!/bin/bash
# Runs after every `absah init`: a release may bring new tables.
set -euo pipefail
PGPASSWORD=$(<"${SECRETS:-/run/secrets}/database_owner_password")
export PGPASSWORD
exec psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --single-transaction --file="$(dirname "$0")/grants.sql"

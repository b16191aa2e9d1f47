#!/bin/bash
# Runs once, when the database is created: three roles, none of them a superuser.
#   absah_owner   owns the schema; used by `absah init` only
#   absah_core    works with the rows
#   absah_public  reads what verification needs
set -euo pipefail
export SECRETS=${SECRETS:-/run/secrets}

# psql reads the passwords itself: on its command line every process could see them.
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\set owner `cat "$SECRETS/database_owner_password"`
\set core `cat "$SECRETS/database_core_password"`
\set public `cat "$SECRETS/database_public_password"`
CREATE ROLE absah_owner LOGIN PASSWORD :'owner';
CREATE ROLE absah_core LOGIN PASSWORD :'core';
CREATE ROLE absah_public LOGIN PASSWORD :'public';
ALTER ROLE absah_public SET default_transaction_read_only = on;
ALTER ROLE absah_public SET statement_timeout = '10s';
ALTER DATABASE :"DBNAME" OWNER TO absah_owner;
ALTER SCHEMA public OWNER TO absah_owner;
REVOKE ALL ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"DBNAME" TO absah_core, absah_public;
SQL

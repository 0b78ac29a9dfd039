#!/usr/bin/env bash
# The service deployment without containers: PostgreSQL, Redis, web and Celery workers as plain processes.
# A trial of that deployment on one machine: plain HTTP on a loopback address, data apart from the embedded ones.
set -euo pipefail
cd "$(dirname "$0")/.."
# --run COMMAND...: one command in this environment instead of the whole platform
export CT_VAR_DIR=${CT_VAR_DIR:-$PWD/var/services}
mkdir -p "$CT_VAR_DIR"/{storage,static}
python=.venv/bin/python

need() { command -v "$1" >/dev/null || { echo "$1 is missing: sudo apt-get install $2" >&2; exit 1; }; }
need psql postgresql
need redis-cli redis-server

pg_isready -q || pg_ctlcluster --skip-systemctl-redirect "$(ls /etc/postgresql | sort -n | tail -n 1)" main start \
  || { echo "PostgreSQL does not run and could not be started; start it and try again." >&2; exit 1; }
redis-cli ping >/dev/null 2>&1 || redis-server --daemonize yes --bind 127.0.0.1 >/dev/null

# Secrets are made once and stay with this installation.
secrets="$CT_VAR_DIR/services.env"
if [ ! -e "$secrets" ]; then
  (umask 077; printf 'DJANGO_SECRET_KEY=%s\nDATABASE_PASSWORD=%s\n' \
    "$($python -c 'import secrets; print(secrets.token_urlsafe(60))')" \
    "$($python -c 'import secrets; print(secrets.token_hex(24))')" > "$secrets")
fi
set -a; . "$secrets"; set +a

if [ -z "${DJANGO_DATABASE_URL:-}" ]; then
  as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else sudo -u postgres "$@"; fi; }
  as_postgres psql -v ON_ERROR_STOP=1 -qAt >/dev/null <<SQL
DO \$\$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'turing_ward') THEN CREATE ROLE turing_ward LOGIN; END IF;
END \$\$;
ALTER ROLE turing_ward PASSWORD '$DATABASE_PASSWORD';
SQL
  as_postgres psql -qAt -c "SELECT 1 FROM pg_database WHERE datname = 'turing_ward'" | grep -q 1 \
    || as_postgres createdb -O turing_ward turing_ward
  export DJANGO_DATABASE_URL="postgres://turing_ward:$DATABASE_PASSWORD@127.0.0.1:5432/turing_ward"
fi
export DJANGO_SETTINGS_MODULE=ctplatform.settings.production
export DJANGO_CACHE_URL=${DJANGO_CACHE_URL:-rediscache://127.0.0.1:6379/1}
export CT_BROKER_URL=${CT_BROKER_URL:-redis://127.0.0.1:6379/0}
export DJANGO_ALLOWED_HOSTS=${DJANGO_ALLOWED_HOSTS:-localhost,127.0.0.1}
# No proxy and no TLS in front of a trial on this machine; a real deployment leaves these three at their defaults.
export CT_TRUSTED_PROXIES=${CT_TRUSTED_PROXIES:-0}
export DJANGO_SECURE_SSL_REDIRECT=${DJANGO_SECURE_SSL_REDIRECT:-0} DJANGO_COOKIES_SECURE=${DJANGO_COOKIES_SECURE:-0}

$python manage.py migrate --verbosity 0
$python manage.py collectstatic --no-input --verbosity 0
[ "${1:-}" = --run ] && exec "${@:2}"
exec $python manage.py serve --profile services --host "${1:-127.0.0.1}" --port "${2:-8000}" \
  --announce "PostgreSQL and Redis hold the data. First account: make administrator NAME=you SERVICES=1"

#!/usr/bin/env bash
# Builds the web's and the worker's image and starts both against this machine's PostgreSQL and Redis, as root:
#   apt-get install --no-install-recommends buildah debootstrap crun && docker/try-images.sh
# No registry of images is needed: a fresh Debian by debootstrap and this machine's Node stand for the two base images.
# Shown is what the images promise: the web's holds no torch, nobody writes but to /data and /tmp, the web becomes
# ready, the worker does work that the web ordered. Images and data are of this trial alone and go with it.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in buildah debootstrap psql redis-cli node npm curl; do
  command -v "$tool" >/dev/null || { echo "$tool is missing; see the first lines of $0" >&2; exit 1; }
done
scratch=$(mktemp -d)
export STORAGE_DRIVER=${STORAGE_DRIVER:-overlay} BUILDAH_ISOLATION=chroot
export CONTAINERS_STORAGE_CONF=$scratch/storage.conf
printf '[storage]\ndriver = "%s"\ngraphroot = "%s"\nrunroot = "%s"\n' "$STORAGE_DRIVER" "$scratch/images" "$scratch/run" > "$CONTAINERS_STORAGE_CONF"
database=ward_images_$$ port=${PORT:-18431} redis=${CT_TEST_REDIS_URL:-redis://127.0.0.1:6379/14}
admin=${CT_TEST_POSTGRES_URL:-postgres://postgres@127.0.0.1:5432/postgres}
jobs=()
finish() {
  for pid in "${jobs[@]}"; do kill -- "-$pid" 2>/dev/null || true; done
  sleep 2
  psql -qAt "$admin" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" || true
  buildah rm --all >/dev/null 2>&1 || true
  rm -rf "$scratch" 2>/dev/null || true
}
trap finish EXIT
trap 'echo "line $LINENO failed" >&2' ERR

echo "== bases"
root=$scratch/debian
mirror=$(grep -hm1 '^URIs' /etc/apt/sources.list.d/*.sources | cut -d' ' -f2)
debootstrap --variant=minbase bookworm "$root" "$mirror" > "$scratch/debootstrap.log" || { tail -20 "$scratch/debootstrap.log"; exit 1; }
cp /etc/apt/sources.list.d/*.sources "$root/etc/apt/sources.list.d/"; : > "$root/etc/apt/sources.list"
cp /etc/apt/apt.conf.d/99* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
# This machine's way to its package registries.
mkdir -p "$root/etc/xdg/pip" "$root/root/.config/pip"
# Packages of Debian make their own list of authorities anew.
authorities=/usr/local/share/authorities-of-this-machine.crt
cp -L /etc/ssl/certs/ca-certificates.crt "$root$authorities"
mounts=()
for file in /etc/pip.conf /etc/xdg/pip/* /root/.config/pip/pip.conf /root/.npmrc; do [ -f "$file" ] && cp "$file" "$root$file"; done
for folder in $(pip config list 2>/dev/null | grep -o "file:///[^ ']*" | sed 's#file://##') ${PIP_FIND_LINKS:-}; do
  # The files of an index lie beside its pages.
  folder=${folder%/simple}
  [ -d "$folder" ] && mounts+=(--volume "$folder:$folder:ro")
done
settings=(--env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
for name in PIP_CERT REQUESTS_CA_BUNDLE SSL_CERT_FILE NODE_EXTRA_CA_CERTS; do settings+=(--env "$name=$authorities"); done
[ -n "${PIP_FIND_LINKS:-}" ] && settings+=(--env "PIP_FIND_LINKS=$PIP_FIND_LINKS")
base=$(buildah from scratch)
buildah add -q "$base" "$root" / >/dev/null
buildah config "${settings[@]}" "$base"
buildah commit -q "$base" docker.io/library/debian:bookworm-slim >/dev/null
buildah add -q "$base" "$(readlink -f "$(command -v node)")" /usr/local/bin/node >/dev/null
buildah add -q "$base" "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" /usr/local/lib/node_modules/npm >/dev/null
buildah run "$base" ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
buildah run "$base" ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
buildah commit -q "$base" docker.io/library/node:20-bookworm >/dev/null
buildah rm "$base" >/dev/null; rm -rf "$root"

echo "== images"
for target in web worker; do
  buildah build --quiet --pull-never --layers "${mounts[@]}" -f docker/Dockerfile --target "$target" -t "turing-ward-$target" . \
    > "$scratch/build.log" 2>&1 || { tail -40 "$scratch/build.log"; exit 1; }
done
buildah images --format '{{.Name}} {{.Size}}' | grep turing-ward

echo "== what they hold"
web=$(buildah from --pull-never turing-ward-web) worker=$(buildah from --pull-never turing-ward-worker)
in_web() { buildah run "$web" -- "$@"; }
in_worker() { buildah run "$worker" -- "$@"; }
in_web python -c 'import importlib.util; assert importlib.util.find_spec("torch") is None'
in_worker python -c 'import torch'
# What reads strangers' files has all its libraries, those of the system included, and lets nobody see why it does not start.
reader='import importlib; from ctplatform.datasets.importing.confined import reader; [importlib.import_module(name) for name in reader.LATER]'
in_web python -I -c "$reader"
in_worker python -I -c "$reader"
for run in in_web in_worker; do
  [ "$($run id -un)" = ward ]
  [ -z "$($run find / -xdev -writable -not -type l -not -path '/data*' -not -path '/tmp*' -not -path '/var/tmp*' -not -path '/home/ward*' -not -path '/proc/*' -not -path '/dev/*' -not -path '/sys/*' -not -path '/run/*' 2>/dev/null)" ]
done

echo "== at work"
psql -qAt "$admin" -c "CREATE DATABASE $database"
mkdir -m 777 "$scratch/data"
shared=(--volume "$scratch/data:/data")
for setting in DJANGO_SECRET_KEY="$(head -c 60 /dev/urandom | base64 -w 0)" DJANGO_ALLOWED_HOSTS=127.0.0.1 CT_TRUSTED_PROXIES=0 \
  DJANGO_SECURE_SSL_REDIRECT=0 DJANGO_COOKIES_SECURE=0 DJANGO_DATABASE_URL="${admin%/*}/$database" \
  DJANGO_CACHE_URL="rediscache${redis#redis}" CT_BROKER_URL="$redis" OMP_NUM_THREADS=1; do
  shared+=(--env "$setting")
done
setsid buildah run "${shared[@]}" "$web" -- sh -c "python manage.py migrate --verbosity 0 && python manage.py collectstatic --no-input --verbosity 0 && exec python -m ctplatform.webserver --host 127.0.0.1 --port $port --processes 2" > "$scratch/web.log" 2>&1 &
jobs+=($!)
for _ in $(seq 300); do curl -fs "http://127.0.0.1:$port/readyz" && break; sleep 1; done
curl -fs "http://127.0.0.1:$port/readyz" >/dev/null || { tail -40 "$scratch/web.log"; exit 1; }
curl -fs "http://127.0.0.1:$port/account/login/" > "$scratch/login.html"
grep -q 'name="password"' "$scratch/login.html"
setsid buildah run "${shared[@]}" "$worker" -- celery -A ctplatform worker --pool solo -Q default,gpu --loglevel WARNING > "$scratch/worker.log" 2>&1 &
jobs+=($!)
platform() { buildah run "${shared[@]}" --env CT_ADMINISTRATOR_PASSWORD="only for a trial of images" "$@"; }
platform "$web" -- python manage.py create_administrator trial
# The storage is shared: what one image took in, the other finds.
platform "$worker" -- python -m ml.phantom --count 1 --seed 7 --slices 16 --pixels 128 --out /data/phantoms > "$scratch/worker-phantom.log"
platform "$web" -- python manage.py import_scans /data/phantoms --dataset Trial --owner trial > "$scratch/import.log" || { cat "$scratch/import.log"; exit 1; }
platform "$worker" -- python manage.py register_generator ml/weights/demo --name Demo --user trial
# Ordered in the web's image, made by the worker.
platform "$web" -- python manage.py shell --command "
import time
from ctplatform.accounts.models import User
from ctplatform.datasets.models import Lesion
from ctplatform.jobs.models import Job
from synthesis.edits.services import order_removal
from synthesis.models import Generator
order = order_removal(ordered_by=User.objects.get(), lesion=Lesion.objects.order_by('-volume_ml').first(), generator=Generator.objects.get(), seed=1)
for _ in range(600):
    job = Job.objects.get(pk=order.job_id)
    if job.finished_at:
        break
    time.sleep(1)
print('an edit:', job.status)
assert job.status == 'succeeded', job.error
" || { tail -40 "$scratch/worker.log"; exit 1; }
echo "web and worker are at work"

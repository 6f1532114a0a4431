#!/usr/bin/env bash
# make demo: an invented shop and e-mail platform, and the unchanged daemon against them with a private PostgreSQL.
# DEMO_EXIT=1 stops after the report, with its status.
set -euo pipefail
cd "$(dirname "$0")/.."

base="${PERENNIAL_DEMO_DIR:-${TMPDIR:-/var/tmp}/perennial-demo-$(id -u)}"
mkdir -p "$base"
chmod 755 "$base" # as root the database runs under another account, which must get here

# What an earlier demo left behind (it may have been killed) is taken away; one that still runs is left alone.
for old in "$base"/*/; do
  [ -f "$old/pid" ] || continue
  kill -0 "$(cat "$old/pid")" 2>/dev/null && continue
  bin/perennial postgres stop --data-dir "$old/data" >/dev/null 2>&1 || true
  [ -f "$old/shopsim.pid" ] && kill "$(cat "$old/shopsim.pid")" 2>/dev/null || true
  rm -rf "$old"
done

work="$base/$$"
mkdir -p "$work"
chmod 755 "$work"
echo $$ > "$work/pid"
shopsim=""
cleanup() {
  [ -n "$shopsim" ] && kill "$shopsim" 2>/dev/null || true
  bin/perennial postgres stop --data-dir "$work/data" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

bin/perennial postgres ensure

echo "Starting an invented shop: about 2,000 customers and 6,000 orders over two years."
bin/shopsim --ready-file "$work/ready" > "$work/shopsim.log" 2>&1 &
shopsim=$!
echo "$shopsim" > "$work/shopsim.pid"
for _ in $(seq 1 300); do
  [ -s "$work/ready" ] && break
  kill -0 "$shopsim" 2>/dev/null || { cat "$work/shopsim.log" >&2; exit 1; }
  sleep 0.1
done
[ -s "$work/ready" ] || { echo "the invented shop did not start within 30 seconds; see $work/shopsim.log" >&2; exit 1; }
# shellcheck disable=SC1091
. "$work/ready"

export DEMO_CONSUMER_KEY="$WOOCOMMERCE_KEY" DEMO_CONSUMER_SECRET="$WOOCOMMERCE_SECRET" DEMO_LISTMONK_TOKEN="$LISTMONK_TOKEN"
bin/perennial --config "$work/perennial.toml" init --yes \
  --kind woocommerce --name demo --set url="$WOOCOMMERCE_URL" \
  --set consumer_key_env=DEMO_CONSUMER_KEY --set consumer_secret_env=DEMO_CONSUMER_SECRET \
  --consent platform --tags --data-dir "$work/data" --health "" \
  --destination listmonk --destination-set url="$LISTMONK_URL" \
  --destination-set username="$LISTMONK_USER" --destination-set token_env=DEMO_LISTMONK_TOKEN

echo
echo "The daemon's first night: read the shop, work out the segments, push tags and audiences."
bin/perennial --config "$work/perennial.toml" run --once
echo
status=0
bin/perennial --config "$work/perennial.toml" report || status=$?
if [ -n "${DEMO_EXIT:-}" ]; then
  exit "$status"
fi

echo
echo "The daemon stays and runs every night at 03:00 of the shop's time. In another terminal, try:"
echo "  bin/perennial --config $work/perennial.toml status"
echo "  bin/perennial --config $work/perennial.toml segments"
echo "Ctrl-C ends the demo and takes everything away."
bin/perennial --config "$work/perennial.toml" run

#!/usr/bin/env bash
# make demo: two invented shops, one on WooCommerce and one on Shopify, each with two e-mail platforms, and the unchanged daemon
# against them with a private PostgreSQL.
#
# DEMO_EXIT=1                   stop after the report, with its status
# DEMO_CUSTOMERS=2000           people in the invented WooCommerce shop
# DEMO_SHOPIFY_CUSTOMERS=1200   people in the invented Shopify shop
# DEMO_PAST="91 61 31 8 1"      as of how many days ago the shops are analysed before the first night
# DEMO_DASHBOARD=127.0.0.1:8377 where the dashboard is served, with a password of its own
# PERENNIAL_DEMO_DIR            where everything is kept while the demo runs, instead of a temporary directory
set -euo pipefail
cd "$(dirname "$0")/.."

# Everybody may pass through a directory and those above it. As root the database runs under another account, which has to.
open_to_all() {
  local dir="$1"
  while [ "$dir" != / ]; do
    case "$(ls -ld "$dir")" in d????????[xt]*) ;; *) return 1 ;; esac
    dir="$(dirname "$dir")"
  done
}

# Prints the directory of all demos of this user.
find_base() {
  local dir
  if [ -n "${PERENNIAL_DEMO_DIR:-}" ]; then
    mkdir -p "$PERENNIAL_DEMO_DIR" && (cd "$PERENNIAL_DEMO_DIR" && pwd)
    return
  fi
  for dir in "${TMPDIR:-/var/tmp}" /var/tmp /tmp; do
    dir="$(cd "$dir" 2>/dev/null && pwd -P)" && [ -w "$dir" ] || continue
    [ "$(id -u)" != 0 ] || open_to_all "$dir" || continue
    dir="$dir/perennial-demo-$(id -u)"
    mkdir -p "$dir" && [ -O "$dir" ] || continue
    chmod 755 "$dir"
    echo "$dir"
    return
  done
  echo "demo: no temporary directory is writable; name one with PERENNIAL_DEMO_DIR" >&2
  return 1
}

# Whether process $1 runs and has $2 in its command line. The number alone may have gone to somebody else's process.
runs() {
  case "$({ ps -o args= -ww -p "$1" || tr '\0' ' ' < "/proc/$1/cmdline"; } 2>/dev/null)" in
    *"$2"*) return 0 ;;
    *) return 1 ;;
  esac
}

# Ends what runs in a demo's directory and takes the directory away.
clear_away() {
  local dir="$1" name pid
  for name in daemon shopsim; do
    pid="$(cat "$dir/$name.pid" 2>/dev/null)" || continue
    runs "$pid" "$dir/" || continue
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 1 200); do
      runs "$pid" "$dir/" || break
      sleep 0.1
    done
  done
  [ ! -d "$dir/data" ] || bin/perennial postgres stop --data-dir "$dir/data" >/dev/null 2>&1 || true
  rm -rf "$dir"
}

# The day so many days ago, by GNU's date or by BSD's.
day_before() { date -u -d "$1 days ago" +%F 2>/dev/null || date -u -v "-$1d" +%F; }

# Runs a command under a pid file, in the foreground, so that Ctrl-C reaches it.
# shellcheck disable=SC2016
with_pid() { sh -c 'echo $$ > "$1"; shift; exec "$@"' sh "$@"; }

base="$(find_base)"
for old in "$base"/*/; do # an earlier demo may have been killed; one that still runs is left alone
  old="${old%/}"
  [ -f "$old/lock" ] || continue
  runs "$(cat "$old/lock")" demo.sh && continue
  clear_away "$old"
done

work="$base/$$"
rm -rf "$work"
mkdir "$work"
chmod 755 "$work"
echo $$ > "$work/lock"
trap 'trap "" INT TERM HUP; clear_away "$work"' EXIT
trap 'exit 130' INT TERM HUP

programs="$(bin/perennial postgres ensure --dir)"
export PATH="$programs:$PATH" # a downloaded copy is in the user's own data directory, not in the demo's

customers="${DEMO_CUSTOMERS:-2000}"
shopify_customers="${DEMO_SHOPIFY_CUSTOMERS:-1200}"
echo "Starting two invented shops, in which people have bought for two years, about three times each: one on WooCommerce with"
echo "$customers people and the e-mail platforms listmonk and Brevo, and one on Shopify with $shopify_customers people, Klaviyo and Mailchimp."
bin/shopsim --customers "$customers" --shopify-customers "$shopify_customers" --ready-file "$work/ready" > "$work/shopsim.log" 2>&1 &
shopsim=$!
echo "$shopsim" > "$work/shopsim.pid"
for _ in $(seq 1 300); do
  [ ! -s "$work/ready" ] || break
  kill -0 "$shopsim" 2>/dev/null || { cat "$work/shopsim.log" >&2; exit 1; }
  sleep 0.1
done
[ -s "$work/ready" ] || { echo "demo: the invented shops did not start within 30 seconds" >&2; cat "$work/shopsim.log" >&2; exit 1; }
# shellcheck disable=SC1091
. "$work/ready"

# The keys go to files, so that the commands named below work in any terminal.
(umask 077 && printf '%s' "$WOOCOMMERCE_KEY" > "$work/key" && printf '%s' "$WOOCOMMERCE_SECRET" > "$work/secret" &&
  printf '%s' "$LISTMONK_TOKEN" > "$work/token" && printf '%s' "$SHOPIFY_CLIENT_SECRET" > "$work/client_secret" &&
  printf '%s' "$BREVO_KEY" > "$work/brevo_key" && printf '%s' "$KLAVIYO_KEY" > "$work/klaviyo_key" &&
  printf '%s' "$MAILCHIMP_KEY" > "$work/mailchimp_key")
# Prints one more e-mail platform for the shop that the configuration names last: its kind, its address and further lines.
platform() {
  printf '\n[[stores.destinations]]\nname = "%s"\nkind = "%s"\n[stores.destinations.settings]\nurl = "%s"\napi_key_file = "%s/%s_key"\n' "$1" "$1" "$2" "$work" "$1"
  [ -z "${3:-}" ] || printf '%s\n' "$3"
}
config="$work/perennial.toml"
(umask 077 && od -An -N8 -tx1 /dev/urandom | tr -d ' \n' > "$work/password")
dashboard="${DEMO_DASHBOARD:-127.0.0.1:8377}"
if [ -z "${DEMO_DASHBOARD:-}" ] && (: < "/dev/tcp/${dashboard%:*}/${dashboard#*:}") 2>/dev/null; then
  dashboard="127.0.0.1:8379" # somebody else is there, perhaps another Perennial
fi
echo
echo "perennial init: its questions are answered by flags here"
bin/perennial --config "$config" init --yes \
  --kind woocommerce --name alder --set url="$WOOCOMMERCE_URL" \
  --set consumer_key_file="$work/key" --set consumer_secret_file="$work/secret" \
  --consent platform --tags --data-dir "$work/data" --health "" \
  --dashboard "$dashboard" --dashboard-password-file "$work/password" \
  --destination listmonk --destination-set url="$LISTMONK_URL" \
  --destination-set username="$LISTMONK_USER" --destination-set token_file="$work/token" | sed '/^next: /d'
platform brevo "$BREVO_URL" >> "$config"

# bulk_from is lower than usual, so that this small shop is read as a large one is.
echo
echo "perennial init: the same for the shop on Shopify, which then goes into the same file"
bin/perennial --config "$work/wren.toml" init --yes \
  --kind shopify --name wren --set shop="$SHOPIFY_SHOP" --set url="$SHOPIFY_URL" \
  --set client_id="$SHOPIFY_CLIENT_ID" --set client_secret_file="$work/client_secret" --set bulk_from=500 \
  --consent shop --tags | sed '/^next: /d'
{ echo; sed -n '/^\[\[stores\]\]/,$p' "$work/wren.toml"; } >> "$config"
{ platform klaviyo "$KLAVIYO_URL" "events = true"; platform mailchimp "$MAILCHIMP_URL" "audience = \"$MAILCHIMP_AUDIENCE\""; } >> "$config"
echo "Brevo, Klaviyo and Mailchimp are written into the file by hand, as docs/configuration.md says."

# The shops have a past, of which a daemon that had been there would know every day.
echo
echo "perennial sync, and analyze as of some days of the last quarter, as if the daemon had been there: then there is movement to see"
bin/perennial --config "$config" --quiet sync
for days in ${DEMO_PAST-91 61 31 8 1}; do
  bin/perennial --config "$config" --quiet --now "$(day_before "$days")T12:00:00Z" analyze
done
echo
echo "perennial run --once: the first night, both shops at a time"
with_pid "$work/daemon.pid" bin/perennial --config "$config" run --once
echo
status=0
bin/perennial --config "$config" report || status=$?
if [ -n "${DEMO_EXIT:-}" ]; then
  exit "$status"
fi

person="$(bin/perennial --config "$config" --store wren export | awk -F, '$12 == "champions" && !seen { print $3; seen = 1 }')"
command="bin/perennial --config $(printf '%q' "$config")"
echo
echo "The daemon stays and runs every night at 03:00 of the shops' time. In another terminal, in $PWD, try:"
echo "  $command status"
echo "  $command segments"
[ -z "$person" ] || echo "  $command explain $person"
echo
echo "The dashboard: http://$dashboard  password: $(cat "$work/password")"
echo "Ctrl-C ends the demo and takes everything away."
trap 'exit 0' INT TERM HUP
with_pid "$work/daemon.pid" bin/perennial --config "$config" run

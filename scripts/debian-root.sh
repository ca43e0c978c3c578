#!/bin/bash
# Makes a Debian 12 in .cache/deploy/debian12, as small as debootstrap makes it, in the place of a machine or of a registry's
# image. Once it is there nothing is done.
set -euo pipefail
cd "$(dirname "$0")/.."

root=.cache/deploy/debian12
if [[ -d $root ]]; then
    exit 0
fi
if ((EUID != 0)); then
    echo "Only root can make a Debian in a folder (debootstrap)." >&2
    exit 1
fi
mkdir -p .cache/deploy
rm -rf "$root.new"
debootstrap --variant=minbase bookworm "$root.new" >.cache/deploy/debootstrap.log ||
    { tail .cache/deploy/debootstrap.log >&2; exit 1; }
mv "$root.new" "$root"

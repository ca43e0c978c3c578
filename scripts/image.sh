#!/bin/bash
# Builds the image of deploy/Containerfile out of the packages of target/debian into target/image/dactyl.oci.tar, with
# buildah, and says how large it is. Its base is made with debootstrap, or is what BASE names (BASE=debian:12-slim).
set -euo pipefail
cd "$(dirname "$0")/.."

if ((EUID != 0)); then
    echo "Only root can build the image here (buildah with chroot)." >&2
    exit 1
fi
target=${CARGO_TARGET_DIR:-target}
storage=(--root "$PWD/.cache/deploy/containers" --runroot "$PWD/.cache/deploy/containers-run" --storage-driver vfs)
context=$(mktemp --directory)
trap 'rm -rf "$context" .cache/deploy/containers .cache/deploy/containers-run' EXIT
mkdir -p "$context/packages" "$target/image"
cp "$target"/debian/dactyl_*.deb "$target"/debian/dactyl-networks_*.deb "$context/packages/"
cp deploy/image/* "$context/"

if [[ -z ${BASE:-} ]]; then
    scripts/debian-root.sh
    BASE=localhost/debian12
    base=$(buildah "${storage[@]}" from scratch)
    buildah "${storage[@]}" add --quiet "$base" .cache/deploy/debian12 /
    buildah "${storage[@]}" commit --quiet --rm "$base" "$BASE" >/dev/null
fi
# The health check is no part of OCI's format, but of Docker's.
buildah "${storage[@]}" build --isolation chroot --format docker --pull-never --timestamp "$(git log -1 --format=%ct)" \
    --build-arg BASE="$BASE" --file deploy/Containerfile --tag localhost/dactyl "$context" >"$target/image/build.log" 2>&1 ||
    { tail -n 40 "$target/image/build.log" >&2; exit 1; }
version=$(dpkg-deb --field "$target"/debian/dactyl_*.deb Version | sed 's/-[^-]*$//')
rm -f "$target/image/dactyl.tar"
buildah "${storage[@]}" push --quiet localhost/dactyl "docker-archive:$PWD/$target/image/dactyl.tar:dactyl:$version"
gzip --force --keep "$target/image/dactyl.tar"
container=$(buildah "${storage[@]}" from localhost/dactyl)
mounted=$(buildah "${storage[@]}" mount "$container")
echo "$(find "$mounted" -type f | wc -l) files, $(du --summarize --block-size=1M --apparent-size "$mounted" | cut -f 1) MB," \
    "$(stat --format=%s "$target/image/dactyl.tar.gz" | numfmt --to=si) packed"
rm -rf "$target/image/root"
cp --archive "$mounted" "$target/image/root"

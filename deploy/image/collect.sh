#!/bin/bash
# Copies what the server needs out of the Debian that it is installed on into the folder of the argument: the program and
# the libraries that it and its plugins load, the plugins that its pipelines of pictures and landmarks name, the networks, and
# the licences of all that. No shell, no package manager; busybox is there as wget, for the health check.
set -euo pipefail

image=$1
libraries=/usr/lib/x86_64-linux-gnu
plugins=()
for plugin in app coreelements jpeg videoconvertscale videofilter; do
    plugins+=("$libraries/gstreamer-1.0/libgst$plugin.so")
done
pipelines=()
for pipeline in recognise landmarks unsmoothed twice-smoothed; do
    pipelines+=("/usr/share/dactyl/pipelines/$pipeline.toml")
done
networks=(/var/lib/dactyl/models/libonnxruntime.so /var/lib/dactyl/models/tflite/*.tflite)

# The folders of a Debian, which are links.
mkdir -p "$image"/usr/{bin,lib,lib64} "$image/tmp"
ln -s usr/bin usr/lib usr/lib64 "$image"
chmod 1777 "$image/tmp"

put() {
    local target=$image${2:-$1}
    mkdir -p "$(dirname "$target")"
    cp --dereference --preserve=mode,timestamps "$1" "$target"
}
needed() {
    ldd "$@" | awk '$2 == "=>" { print $3 } $1 ~ /^\// && $1 !~ /:$/ { print $1 }' | sort -u
}
libraries_needed=()
while read -r library; do
    libraries_needed+=("$library")
done < <(needed /usr/bin/dactyl "${plugins[@]}" "${networks[0]}")

for file in /usr/bin/dactyl "${plugins[@]}" "${pipelines[@]}" "${networks[@]}" "${libraries_needed[@]}"; do
    put "$file"
done
put /bin/busybox /usr/bin/wget
put /container.toml /etc/dactyl/dactyl.toml
mkdir -p "$image/usr/share/dactyl/.cache"
ln -s /var/lib/dactyl/models "$image/usr/share/dactyl/.cache/models"
echo "dactyl:x:65532:65532::/nonexistent:/usr/sbin/nologin" >"$image/etc/passwd"
echo "dactyl:x:65532:" >"$image/etc/group"

# A library may be owned under its path with or without /usr.
owners() {
    for file in /usr/bin/dactyl "${plugins[@]}" "${libraries_needed[@]}" /bin/busybox; do
        dpkg-query --search "$(realpath "$file")" 2>/dev/null || dpkg-query --search "${file#/usr}" ||
            dpkg-query --search "$(realpath "$file" | sed 's#^/usr##')"
    done | sed 's/:.*//' | sort -u
}
for package in $(owners); do
    put "/usr/share/doc/$package/copyright"
done
# The texts that those of Dactyl and of the networks name.
for file in /usr/share/doc/dactyl/LICENSE-* /usr/share/doc/dactyl-networks/copyright; do
    put "$file"
done

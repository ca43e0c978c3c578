#!/bin/bash
# Puts everything for a Debian 12 without a network into one archive, target/airgap/dactyl-airgap.tar: the packages of `make deb`,
# every package that they need beyond what the smallest Debian has, the image, and install.sh, which verifies and
# installs. Then tries it on a fresh Debian 12 in a network namespace that has no network.
set -euo pipefail
cd "$(dirname "$0")/.."

if ((EUID != 0)); then
    echo "Only root can make a Debian in a folder to collect the packages on." >&2
    exit 1
fi
scripts/debian-root.sh
target=${CARGO_TARGET_DIR:-target}
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
bundle=$work/dactyl-airgap
mkdir -p "$bundle/packages" "$bundle/image" "$target/airgap"

quietly() {
    "$@" >"$work/output" 2>&1 || { tail -n 40 "$work/output" >&2; return 1; }
}
# A Debian of its own for each step, since what is installed on one is not fetched.
in_root() {
    local root=$1
    shift
    unshare --mount --pid --fork bash -euc '
        mount -t proc proc "$0/proc"
        mount --rbind /dev "$0/dev"
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot "$0" "$@"
    ' "$root" "$@"
}
collecting=$work/collecting
cp --archive .cache/deploy/debian12 "$collecting"
cp "$target"/debian/dactyl_*.deb "$collecting/dactyl.deb"
cp "$target"/debian/dactyl-networks_*.deb "$collecting/dactyl-networks.deb"
quietly in_root "$collecting" apt-get update
quietly in_root "$collecting" apt-get install --yes --no-install-recommends --download-only /dactyl.deb /dactyl-networks.deb
cp "$collecting"/var/cache/apt/archives/*.deb "$target"/debian/dactyl_*.deb "$target"/debian/dactyl-networks_*.deb \
    "$bundle/packages/"
rm -rf "$collecting"
cp "$target/image/dactyl.tar.gz" "$bundle/image/"
(cd "$bundle/packages" && dpkg-scanpackages --multiversion . >Packages 2>"$work/output")

cat >"$bundle/install.sh" <<'INSTALL'
#!/bin/bash
# Verifies this archive and installs Dactyl from it, as root, on Debian 12. It asks for no network.
set -euo pipefail
cd "$(dirname "$0")"

sha256sum --check --quiet SHA256SUMS
lists=$(mktemp --directory)
trap 'rm -rf "$lists"' EXIT
# apt reads as a user of its own.
chmod 755 "$lists"
mkdir -p "$lists/packages" "$lists/state/partial"
cp packages/* "$lists/packages/"
echo "deb [trusted=yes] file:$lists/packages ./" >"$lists/sources"
from_here=(-o "Dir::Etc::SourceList=$lists/sources" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$lists/state")
apt-get "${from_here[@]}" --quiet update
apt-get "${from_here[@]}" --quiet --yes --no-install-recommends install dactyl dactyl-networks
INSTALL
chmod +x "$bundle/install.sh"
cat >"$bundle/README" <<'README'
Dactyl for a machine without a network.

As root on Debian 12:  ./install.sh, then edit /etc/dactyl/dactyl.toml, then systemctl enable --now dactyl
With Docker or Podman: docker load --input image/dactyl.tar.gz
Everything else stands in /usr/share/doc/dactyl once it is installed.
README
(cd "$bundle" && find . -type f ! -name SHA256SUMS -printf '%P\0' | sort --zero-terminated | xargs --null sha256sum >SHA256SUMS)
tar --create --file "$target/airgap/dactyl-airgap.tar" --directory "$work" dactyl-airgap
rm -rf "$bundle"

# The trial: without a network, and without anything that this machine has.
root=$work/root
cp --archive .cache/deploy/debian12 "$root"
cp server/src/pipeline/warm_up.jpg "$target/airgap/dactyl-airgap.tar" "$root/"
cat >"$root/trial" <<'TRIAL'
#!/bin/bash
set -euo pipefail
cd /
[[ $(ls /sys/class/net 2>/dev/null || echo lo) == lo ]]
tar xf dactyl-airgap.tar
printf x >>dactyl-airgap/packages/Packages
if dactyl-airgap/install.sh; then
    echo "a damaged archive was installed"
    exit 1
fi
tar xf dactyl-airgap.tar
dactyl-airgap/install.sh
dactyl check --config /etc/dactyl/dactyl.toml
mkdir frames
for number in {1..40}; do
    cp warm_up.jpg "frames/$number.jpg"
done
setpriv --reuid dactyl --regid dactyl --clear-groups --no-new-privs \
    dactyl serve --config /etc/dactyl/dactyl.toml >served 2>&1 &
for _ in {1..100}; do
    grep -q '^listening' served && break
    sleep 0.1
done
dactyl send frames --letter B
kill -TERM $!
wait $!
grep 'client has gone' served
TRIAL
chmod +x "$root/trial"
unshare --net bash -euc '
    ip link set lo up
    test "$(ip -o link | wc -l)" == 1
    "$@"
' trial unshare --mount --pid --fork bash -euc '
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot "$0" /trial
' "$root" >"$work/output" 2>&1 || { tail -n 60 "$work/output" >&2; exit 1; }
tail -n 4 "$work/output"
echo "$(stat --format=%s "$target/airgap/dactyl-airgap.tar" | numfmt --to=si), with" \
    "$(tar --list --file "$target/airgap/dactyl-airgap.tar" | grep --count '\.deb$') packages: installed and served without a network"

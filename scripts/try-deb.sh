#!/bin/bash
# Installs the packages of target/debian on a fresh Debian 12 that runs systemd, without a network, and tries there what an
# operator does: start, frames, reload, a crash, stop, an upgrade, removal and purge. What is left over is a failure.
#
#     scripts/try-deb.sh                        with a picture of nobody
#     FRAMES=folder LETTER=B scripts/try-deb.sh with JPEGs of somebody who spells that letter, which must then be seen
set -euo pipefail
cd "$(dirname "$0")/.."

if ((EUID != 0)); then
    echo "Only root can boot a Debian in a folder (systemd-nspawn)." >&2
    exit 1
fi
scripts/debian-root.sh
packages=${CARGO_TARGET_DIR:-target}/debian
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
root=$work/root
machine=dactyl-trial-$$
cp --archive .cache/deploy/debian12 "$root"

# The packages' archives are kept, so that a second run downloads little.
mkdir -p .cache/deploy/archives/partial
in_root() {
    systemd-nspawn --quiet --pipe --register=no --keep-unit --machine="$machine" --directory="$root" \
        --bind="$PWD/.cache/deploy/archives:/var/cache/apt/archives" --setenv=DEBIAN_FRONTEND=noninteractive "$@"
}
quietly() {
    "$@" >"$work/output" 2>&1 || { cat "$work/output" >&2; return 1; }
}
echo 'APT::Keep-Downloaded-Packages "true";' >"$root/etc/apt/apt.conf.d/keep"

mkdir "$root/trial"
cp "$packages"/dactyl_*.deb "$root/trial/dactyl.deb"
cp "$packages"/dactyl-networks_*.deb "$root/trial/dactyl-networks.deb"
if [[ -n ${FRAMES:-} ]]; then
    cp -r "$FRAMES" "$root/trial/frames"
else
    mkdir "$root/trial/frames"
    for number in {1..64}; do
        cp server/src/pipeline/warm_up.jpg "$root/trial/frames/$number.jpg"
    done
fi

# What a machine has before, and what the packages need.
quietly in_root apt-get update
quietly in_root apt-get install --yes --no-install-recommends systemd-sysv dbus
depends=$(dpkg-deb --field "$packages"/dactyl_*.deb Depends | sed 's/ *([^)]*)//g; s/|[^,]*//g; s/,/ /g')
# shellcheck disable=SC2086 # a list of words
quietly in_root apt-get install --yes --no-install-recommends $depends gstreamer1.0-tools
files() {
    # What every boot and every use of apt writes is nobody's.
    find "$root" -xdev \( -path "$root/var/log" -o -path "$root/var/cache/apt" -o -path "$root/var/cache/ldconfig" \
        -o -path "$root/var/lib/apt" -o -path "$root/var/lib/dpkg" -o -path "$root/var/lib/systemd" -o -path "$root/var/tmp" \
        -o -path "$root/tmp" -o -path "$root/run" -o -path "$root/trial" -o -path "$root/etc/machine-id" \
        -o -path "$root/root" -o -path "$root/proc" -o -path "$root/sys" -o -path "$root/dev" \) -prune -o -printf '%P\n' |
        grep -v -e '-$' | sort
}
files >"$work/before"
quietly in_root apt-get install --yes --no-install-recommends \
    /trial/dactyl.deb /trial/dactyl-networks.deb

cat >"$root/trial/run" <<'TRIAL'
#!/bin/bash
# On the machine, as root, while it runs.
set -euo pipefail
exec 2>&1
trap 'echo "line $LINENO failed"; journalctl --unit dactyl --no-pager | tail -40' ERR

get() {
    exec 3<>/dev/tcp/127.0.0.1/8080
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$1" >&3
    cat <&3
}
ready() { get /readyz | grep -q '^HTTP/1.1 200'; }
count() { get /metrics | sed -n "s/^$1 //p"; }

[[ $(systemctl is-enabled dactyl) == disabled ]]
dactyl check --config /etc/dactyl/dactyl.toml | tail -1
systemctl enable --now dactyl
# With Type=notify it listens when this returns.
ready
systemd-analyze security dactyl.service --threshold=12 | tail -1

dactyl send /trial/frames --letter "${LETTER:-B}" | tee /trial/answers | tail -3
[[ $(count dactyl_frames_analysed_total) -gt 32 ]]

main() { systemctl show dactyl --property MainPID --value; }
before=$(main)
systemctl reload dactyl
ready
[[ $(main) == "$before" ]]

kill -KILL "$before"
for try in {1..50}; do
    ready 2>/dev/null && break
    sleep 0.2
done
ready
[[ $(systemctl show dactyl --property NRestarts --value) == 1 ]]

# The same package once more, as an upgrade: what the operator wrote stays, and the server runs again.
sed -i 's/^#max_sessions = 64/max_sessions = 7/' /etc/dactyl/dactyl.toml
dpkg --install /trial/dactyl.deb >/dev/null
grep -q '^max_sessions = 7' /etc/dactyl/dactyl.toml
ready

systemctl stop dactyl
[[ $(systemctl show dactyl --property Result --value) == success ]]
# Of its own only what is worth a look, and of the crash what systemd says.
[[ -z $(journalctl --unit dactyl --no-pager --output cat | grep -E ' (WARN|ERROR) |[Ee]rror in') ]]

# The elements in a program of somebody else, with the networks of the service.
gst-launch-1.0 --quiet filesrc location="$(find /trial/frames -name '*.jpg' | head -n 1)" ! jpegdec ! videoconvert ! \
    holistic-keypoints ! lstm-classifier ! fakesink

systemctl start dactyl
apt-get purge --yes dactyl-networks dactyl >/dev/null
if pidof dactyl; then
    echo "it still runs after the purge"
    exit 1
fi
echo tried
TRIAL
chmod +x "$root/trial/run"
cat >"$root/etc/systemd/system/trial.service" <<TRIAL
[Unit]
After=multi-user.target
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
Environment=LETTER=${LETTER:-}
ExecStart=/trial/run
StandardOutput=file:/trial/log
TimeoutStartSec=120
[Install]
WantedBy=default.target
TRIAL
quietly in_root systemctl --quiet enable trial.service
timeout 200 systemd-nspawn --quiet --boot --register=no --keep-unit --machine="$machine" --private-network --directory="$root" \
    </dev/null >"$work/boot" 2>&1 || true
cat "$root/trial/log"
if [[ $(tail -n 1 "$root/trial/log") != tried ]]; then
    tail -n 20 "$work/boot" >&2
    exit 1
fi
if [[ -n ${LETTER:-} ]]; then
    grep -q " $LETTER " "$root/trial/answers" || { echo "no $LETTER was seen" >&2; exit 1; }
fi

quietly in_root systemctl --quiet disable trial.service
rm "$root/etc/systemd/system/trial.service"
files >"$work/after"
if ! diff "$work/before" "$work/after"; then
    echo "left over, or gone, after the purge" >&2
    exit 1
fi
if grep dactyl "$root/etc/passwd" "$root/etc/group"; then
    echo "its user is still there after the purge" >&2
    exit 1
fi
echo "installed, served, removed without a trace"

#!/bin/bash
# Installs what building and running Dactyl needs of the system and what is missing of it, with the argument "test" also
# what the tests need, with "deb", "try-deb" or "image" what these targets of the Makefile need. With nothing missing it asks
# for no rights and no network. Tried on Debian 12 and 13; the names of Ubuntu 24.04 and Fedora are those of their package lists.
set -euo pipefail

purpose=${1:-}
system=$(. /etc/os-release 2>/dev/null && echo "${ID:-}")
untried=
if command -v dpkg-query >/dev/null; then
    wanted=(
        libgstreamer1.0-dev
        libgstreamer-plugins-base1.0-dev
        gstreamer1.0-tools
        gstreamer1.0-plugins-base
        gstreamer1.0-plugins-good
        gstreamer1.0-libav
        gstreamer1.0-x # textoverlay
    )
    compiler=(gcc libc6-dev)
    pkg_config=pkg-config
    browser=chromium
    driver=chromium-driver
    prometheus=prometheus
    if [[ $system == ubuntu ]]; then
        untried="Ubuntu"
        browser=chromium-browser
        driver=chromium-chromedriver
    fi
    is_installed() {
        [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null || true) == installed ]]
    }
    install=(apt-get install --quiet --yes --no-install-recommends)
elif command -v dnf >/dev/null; then
    untried="Fedora"
    wanted=(
        gstreamer1-devel
        gstreamer1-plugins-base-devel
        gstreamer1-plugins-base-tools
        gstreamer1-plugins-base
        gstreamer1-plugins-good
        gstreamer1-plugin-libav
    )
    compiler=(gcc glibc-devel)
    pkg_config=pkgconf-pkg-config
    browser=chromium
    driver=chromedriver
    prometheus=golang-github-prometheus
    is_installed() { rpm --query --quiet "$1"; }
    install=(dnf install --quiet --assumeyes --setopt=install_weak_deps=False)
else
    if pkg-config --atleast-version=1.22 gstreamer-1.0 gstreamer-app-1.0 gstreamer-video-1.0; then
        exit 0
    fi
    echo "This system has neither apt nor dnf. Install GStreamer 1.22 or newer with its development files, the base, good," >&2
    echo "libav and pango plugins, pkg-config, a C compiler and pip (for the tests also Chromium, its chromedriver, strace," >&2
    echo "HAProxy, nginx and promtool), and try again." >&2
    exit 1
fi

command -v pkg-config >/dev/null || wanted+=("$pkg_config")
# The C compiler is only called to link.
command -v cc >/dev/null || wanted+=("${compiler[@]}")
# Any pip will do: it downloads two archives and installs nothing.
command -v pip3 >/dev/null || command -v pip >/dev/null || wanted+=(python3-pip)
if [[ $purpose == test ]]; then
    command -v chromium >/dev/null || wanted+=("$browser")
    command -v chromedriver >/dev/null || wanted+=("$driver")
    command -v strace >/dev/null || wanted+=(strace)
    # The balancers of deploy/, where only root may look for programs.
    command -v haproxy >/dev/null || [[ -x /usr/sbin/haproxy ]] || wanted+=(haproxy)
    command -v nginx >/dev/null || [[ -x /usr/sbin/nginx ]] || wanted+=(nginx)
    # promtool, for the alerts of deploy/prometheus.
    command -v promtool >/dev/null || wanted+=("$prometheus")
fi
case $purpose in
deb) wanted+=(dpkg-dev) ;; # tells which packages the program needs
try-deb) wanted+=(debootstrap systemd-container) ;;
image) wanted+=(debootstrap buildah runc) ;;
esac

missing=()
for package in "${wanted[@]}"; do
    is_installed "$package" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    exit 0
fi

echo "Installing system packages: ${missing[*]}"
if [[ -n $untried ]]; then
    echo "(Nobody has tried this on $untried yet. If a name is wrong, install what takes its place and try again.)"
fi
if ((EUID == 0)); then
    as_root=(env)
elif command -v sudo >/dev/null; then
    as_root=(sudo env)
else
    echo "Neither root nor sudo here. Have an administrator run this, and try again:" >&2
    echo "  ${install[*]} ${missing[*]}" >&2
    exit 1
fi
if [[ ${install[0]} == apt-get ]]; then
    "${as_root[@]}" apt-get update --quiet
fi
"${as_root[@]}" DEBIAN_FRONTEND=noninteractive "${install[@]}" "${missing[@]}"

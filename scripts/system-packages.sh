#!/bin/bash
# Installs, by apt, what building and running Dactyl needs of the system and what is missing of it. With nothing missing
# it asks for no rights and no network. With the argument "test", what the tests need on top.
set -euo pipefail

wanted=(
    libgstreamer1.0-dev
    libgstreamer-plugins-base1.0-dev
    gstreamer1.0-tools
    gstreamer1.0-plugins-base
    gstreamer1.0-plugins-good
    gstreamer1.0-libav
    gstreamer1.0-x # textoverlay
)
command -v pkg-config >/dev/null || wanted+=(pkg-config)
# The C compiler is only called to link.
command -v cc >/dev/null || wanted+=(gcc libc6-dev)
# Any pip will do: it downloads two archives and installs nothing.
command -v pip3 >/dev/null || command -v pip >/dev/null || wanted+=(python3-pip)
if [[ ${1:-} == test ]]; then
    command -v chromium >/dev/null || wanted+=(chromium)
    command -v chromedriver >/dev/null || wanted+=(chromium-driver)
    command -v strace >/dev/null || wanted+=(strace)
    # The balancers of deploy/. Debian puts them where only root looks for programs.
    command -v haproxy >/dev/null || [[ -x /usr/sbin/haproxy ]] || wanted+=(haproxy)
    command -v nginx >/dev/null || [[ -x /usr/sbin/nginx ]] || wanted+=(nginx)
fi

if ! command -v dpkg-query >/dev/null; then
    if pkg-config --atleast-version=1.22 gstreamer-1.0 gstreamer-app-1.0 gstreamer-video-1.0; then
        exit 0
    fi
    echo "This is not a Debian system. Install GStreamer 1.22 or newer with its development files, the base, good," >&2
    echo "libav and pango plugins, pkg-config, a C compiler and pip (for the tests also Chromium, its chromedriver, strace," >&2
    echo "HAProxy and nginx), and try again." >&2
    exit 1
fi

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $status == installed ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    exit 0
fi

echo "Installing system packages: ${missing[*]}"
if ((EUID == 0)); then
    as_root=(env)
elif command -v sudo >/dev/null; then
    as_root=(sudo env)
else
    echo "Neither root nor sudo here. Have an administrator run this, and try again:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
"${as_root[@]}" apt-get update --quiet
"${as_root[@]}" DEBIAN_FRONTEND=noninteractive \
    apt-get install --quiet --yes --no-install-recommends "${missing[@]}"

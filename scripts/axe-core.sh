#!/bin/bash
# Puts axe-core, with which the tests judge the practice page's accessibility, into .cache/test. No Python of its wheel is
# installed or run. With the file in place it asks for no network.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=tests/axe-core.txt
kept=.cache/test
if [[ -f $kept/axe.min.js && $kept/axe.min.js -nt $wanted ]]; then
    exit 0
fi
pip=pip3
command -v pip3 >/dev/null || pip=pip
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
"$pip" download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
    -r "$wanted" -d "$wheels"
mkdir -p "$kept"
python3 -c 'import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).read("axe_playwright_python/axe.min.js").decode())' \
    "$wheels"/*.whl >"$kept/axe.min.js"

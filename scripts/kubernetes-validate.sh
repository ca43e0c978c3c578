#!/bin/bash
# Puts kubernetes-validate, with which the tests hold the manifests of deploy/kubernetes against Kubernetes' schemas, into
# .cache/test. With it in place it asks for no network.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=tests/kubernetes-validate.txt
kept=.cache/test/kubernetes-validate
if [[ -d $kept && $kept -nt $wanted ]]; then
    exit 0
fi
rm -rf "$kept" "$kept.new"
python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --require-hashes \
    --only-binary=:all: --target "$kept.new" -r "$wanted"
# Schemas of the versions that the tests name: all of them would be 110 MB.
find "$kept.new/kubernetes_validate/kubernetes-json-schema" -mindepth 1 -maxdepth 1 \
    ! -name v1.30.0-local-strict ! -name v1.37.0-local-strict -exec rm -r {} +
mv "$kept.new" "$kept"
touch "$kept"

#!/bin/bash
# Runs the image of target/image with runc as strictly as a cluster may: nobody's user, no capability, a root that cannot be
# written, no folder for temporary files, no network but the loopback of its own. It must serve frames there, be found
# healthy by its own check, write nothing, and end within a drain.
#
#     scripts/try-image.sh                        with a picture of nobody
#     FRAMES=folder LETTER=B scripts/try-image.sh with JPEGs of somebody who spells that letter, which must then be seen
set -euo pipefail
cd "$(dirname "$0")/.."

if ((EUID != 0)); then
    echo "Only root can run the image here (runc)." >&2
    exit 1
fi
image=${CARGO_TARGET_DIR:-target}/image
work=$(mktemp --directory)
name=dactyl-trial-$$
ended() {
    runc --root "$work/state" delete --force "$name" 2>/dev/null || true
    rm -rf "$work"
}
trap ended EXIT

mkdir "$work/frames" "$work/bundle"
if [[ -n ${FRAMES:-} ]]; then
    cp "$FRAMES"/*.jpg "$work/frames/"
else
    for number in {1..64}; do
        cp server/src/pipeline/warm_up.jpg "$work/frames/$number.jpg"
    done
fi
chmod -R a+rX "$work"
(cd "$work/bundle" && runc spec)
python3 - "$image/dactyl.tar" "$work/bundle/config.json" "$(realpath "$image/root")" "$work/frames" <<'PYTHON'
import json, sys, tarfile

archive, config, root, frames = sys.argv[1:]
with tarfile.open(archive) as image:
    manifest = json.load(image.extractfile("manifest.json"))
    said = json.load(image.extractfile(manifest[0]["Config"]))["config"]
with open(config) as file:
    spec = json.load(file)
user, group = map(int, said["User"].split(":"))
none = {kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")}
spec["process"].update(
    terminal=False,
    user={"uid": user, "gid": group},
    args=said["Entrypoint"] + said["Cmd"],
    env=[name for name in said["Env"] if not name.startswith("HOME=")],
    cwd="/",
    capabilities=none,
    noNewPrivileges=True,
    rlimits=[],
)
spec["root"] = {"path": root, "readonly": True}
spec["mounts"].append({"destination": "/frames", "type": "bind", "source": frames, "options": ["rbind", "ro"]})
with open(config, "w") as file:
    json.dump(spec, file)
with open(config + ".check", "w") as file:
    file.write("\n".join(said["Healthcheck"]["Test"][1:]))
PYTHON
mapfile -t check <"$work/bundle/config.json.check"
mkdir -p "$work/bundle/rootfs"
marker=$work/marker
touch "$marker"
sleep 1

inside() { runc --root "$work/state" exec "$name" "$@"; }
runc --root "$work/state" run --detach --bundle "$work/bundle" "$name" >"$work/log" 2>&1 </dev/null
for _ in {1..100}; do
    inside "${check[@]}" 2>/dev/null && break
    sleep 0.1
done
inside "${check[@]}" || { cat "$work/log" >&2; exit 1; }
inside /usr/bin/wget -q -O - http://127.0.0.1:8081/readyz
echo " and healthy"
inside /usr/bin/dactyl send /frames --letter "${LETTER:-B}" >"$work/answers"
tail -n 3 "$work/answers"
if [[ -n ${LETTER:-} ]]; then
    grep -q " $LETTER " "$work/answers" || { echo "no $LETTER was seen" >&2; exit 1; }
fi
analysed=$(inside /usr/bin/wget -q -O - http://127.0.0.1:8081/metrics | sed -n 's/^dactyl_frames_analysed_total //p')
((analysed > 32))

runc --root "$work/state" kill "$name" TERM
for _ in {1..100}; do
    [[ $(runc --root "$work/state" state "$name" | sed -n 's/.*"status": "\(.*\)".*/\1/p') == stopped ]] && break
    sleep 0.1
done
[[ $(runc --root "$work/state" state "$name" | sed -n 's/.*"status": "\(.*\)".*/\1/p') == stopped ]]
cat "$work/log"
# It is told that it has no keys, which is so.
if grep -v 'anybody who reaches server.listen' "$work/log" | grep -E ' (WARN|ERROR) |[Ee]rror in' || find "$image/root" -type f -newer "$marker" | grep .; then
    echo "warned, or written" >&2
    exit 1
fi
echo "served $analysed frames as nobody, on a root that cannot be written, without a network"

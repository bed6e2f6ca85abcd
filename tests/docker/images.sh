#!/usr/bin/env bash
# Builds stand-ins under the official names, for a machine that reaches Debian's mirror and Maven but no image registry.
# Nothing is built for a name that the engine has already.
#
#   tests/docker/images.sh FOLDER     DOCKER_HOST says which engine; FOLDER is scratch space (about 1 GB)
#
# Needs root and debootstrap. The official images are better wherever they can be had: `docker pull` them instead.
set -euo pipefail

folder=$(realpath -m "${1:?a folder}")
here=$(dirname "$(realpath "$0")")
course=$(dirname "$(dirname "$here")")
python=${PYTHON:-$course/.venv/bin/python}
image_of() { sed -n "s,^ *image: \($1:.*\),\1,p" "$course/docker/compose.yml"; }
have() { docker image inspect "$1" >/dev/null 2>&1; }

base() {
    have course/debian && return
    mkdir -p "$folder"
    # The machine's own mirror.
    mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Component: main' | grep -v security | head -1)
    [ -d "$folder/rootfs/var" ] || debootstrap --variant=minbase trixie "$folder/rootfs" "$mirror" >"$folder/debootstrap.log"
    tar -C "$folder/rootfs" -c . | docker import - course/debian >/dev/null
}

kafka() {
    have "$1" && return
    base
    rm -rf "$folder/kafka" && cp -r "$here/kafka" "$folder/kafka" && mkdir "$folder/kafka/libs"
    "$python" - "$folder/kafka" <<'PYTHON'
import shutil, sys
from pathlib import Path
from labkit.base import settings
from labkit.provision import kafka_jars
folder, lab = Path(sys.argv[1]), settings.read()
lines = [line.split() for line in (folder / "more_jars.lock").read_text().splitlines() if not line.startswith("#")]
more = [kafka_jars.Pin(*name.split(":"), sha256, int(size)) for name, sha256, size in lines]
for jar in kafka_jars.provide(lab.cache, lab.maven_url, print, [*kafka_jars.pins(), *more]):
    shutil.copy(jar, folder / "libs")
PYTHON
    docker build -q --network host -t "$1" "$folder/kafka"
}

rabbitmq() {
    have "$1" && return
    base
    docker build -q --network host -t "$1" "$here/rabbitmq"
}

kafka "$(image_of apache/kafka)"
rabbitmq "$(image_of rabbitmq)"
docker image ls

#!/usr/bin/env bash
# The Docker rung on a real engine, from nothing and back to nothing: starts an engine, builds the images where they are
# missing, runs check_engine.py, stops the engine.
#
#   tests/docker/exercise.sh FOLDER [pytest's own words]      FOLDER is scratch space (about 3 GB), kept for the next time
#
# On a machine with a running Docker, this is enough:  python -m pytest tests/docker/check_engine.py
#
# Needs root and: apt-get install --no-install-recommends docker.io docker-compose debootstrap iptables
set -euo pipefail

folder=$(realpath -m "${1:?a folder}") && shift
here=$(dirname "$(realpath "$0")")
course=$(dirname "$(dirname "$here")")

cd "$course"
trap '"$here/engine.sh" stop "$folder/engine"' EXIT
"$here/engine.sh" start "$folder/engine"
export DOCKER_HOST=unix://$folder/engine/docker.sock
"$here/images.sh" "$folder"
"${PYTHON:-$course/.venv/bin/python}" -m pytest tests/docker/check_engine.py -p no:cacheprovider "$@"
left=$(docker ps -aq; docker volume ls -q)
[ -z "$left" ] || { echo "left behind: $left" >&2; exit 1; }

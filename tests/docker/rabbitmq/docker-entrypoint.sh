#!/bin/bash
# As the official image: the data belongs to user rabbitmq, and the server runs as that user.
set -eu

if [ "$1" = rabbitmq-server ] && [ "$(id -u)" = 0 ]; then
    find /var/lib/rabbitmq \! -user rabbitmq -exec chown rabbitmq '{}' +
    exec gosu rabbitmq "$0" "$@"
fi
# Debian's wrappers insist on root; the scripts themselves do not.
PATH=$(echo /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin):$PATH
exec "$@"

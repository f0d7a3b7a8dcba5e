#!/bin/sh
# All checks, then all tests. Says loudly what is skipped, and why; leaves no process.
# Arguments go to pytest.
set -u
cd "$(dirname "$0")/.." || exit 1
python=.venv/bin/python

find_browser() {
    for name in ${CHROMIUM:-} chromium chromium-browser google-chrome; do
        command -v "$name" && return
    done
    return 1
}

# Pages are tested in a real browser. Debian's is installed when it may be.
if ! find_browser >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing Chromium for the browser tests ..."
        log=$(mktemp)
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
            --no-install-recommends chromium; } >"$log" 2>&1 || tail -n 5 "$log"
        rm -f "$log"
    fi
fi
if CHROMIUM=$(find_browser); then
    export CHROMIUM
else
    unset CHROMIUM
    echo "*** SKIPPING all browser tests: no Chromium, and only root on Debian can have" >&2
    echo "*** it installed here. Install it, or name one with CHROMIUM=/path." >&2
fi

# Routers and SSH targets are tested with the servers themselves, hosts with their shells.
for package in haproxy nginx-light openssh-server busybox; do
    case $package in
        nginx-light) program=nginx ;;
        openssh-server) program=sshd ;;
        *) program=$package ;;
    esac
    has() { PATH=$PATH:/usr/sbin command -v "$program" >/dev/null; }
    has && continue
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $package for the tests with it ..."
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
            --no-install-recommends "$package"; } >/dev/null 2>&1
    fi
    has || echo "*** SKIPPING the tests with $package: it is not installed." >&2
done

# Every test worker, and every process that a test starts, would compile it all again.
unset PYTHONDONTWRITEBYTECODE

make lint || exit 1
# Three lines of serial tests, which mostly wait, and one worker for all others.
exec "$python" -m pytest -n "${JOBS:-4}" --dist loadgroup "$@"

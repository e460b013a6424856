# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What compare and pipeline share: peers from another Debian suite in a root
# folder of the cache, built there by peers/build, seen from a mount namespace
# of their own. To be sourced with $name (of the script) and $root (of the
# source tree) set.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/gst-forge
bench=${FORGE_BUILD_ROOT:-$root/build}/tests/bench
suite_packages="g++ libc6-dev pkg-config libopencv-dnn-dev libdnnl-dev
  libxnnpack-dev libpthreadpool-dev libgstreamer1.0-dev
  libgstreamer-plugins-base1.0-dev gstreamer1.0-tools gstreamer1.0-plugins-base
  gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"

complain () {
  echo "$name: $*" >&2
  exit 2
}

# Sets $suite where it is empty: trixie where its root folder is, else host.
choose_suite () {
  [ -n "$suite" ] || suite=$(
    [ -x "$cache/bench-trixie/bench/bin/run-onednn" ] && echo trixie || echo host)
  case $suite in
    host|trixie|sid) ;;
    *) complain "no suite '$suite': host, trixie or sid" ;;
  esac
  peer_root=$cache/bench-$suite
}

# Debian's packages: on this machine, or in the root folder, which is made.
fetch_suite () {
  local problem
  if [ "$suite" = host ]; then
    "$root/pipelines/install-packages" bench
    echo "$name: peers are built by: meson setup --reconfigure build && ninja -C build" >&2
    return
  fi
  "$root/pipelines/install-packages" long # debootstrap
  # shellcheck disable=SC2086
  problem=$("$root/tests/make-root" "$suite" "$peer_root" $suite_packages) ||
    complain "$suite: $problem"
}

# Builds the peers in the root folder, where sources changed since.
build_suite () {
  local stamp=$peer_root/bench/bin/stamp now
  now=$(cat "$root"/tests/bench/peers/* "$root/tests/bench/pipeline-bench.c" |
    sha256sum)
  [ "$(cat "$stamp" 2>/dev/null)" != "$now" ] || return 0
  rm -rf "$peer_root/bench/src"
  mkdir -p "$peer_root/bench"
  cp -r "$root/tests/bench" "$peer_root/bench/src"
  chroot "$peer_root" /bench/src/peers/build /bench/bin >&2 ||
    complain "$suite: the peers cannot be built"
  echo "$now" >"$stamp"
}

# enter_suite FOLDER ARGS...: starts the script again with /proc, /sys, /dev and
# FOLDER, under its own name, in the root folder; they are gone when it ends.
# Engines look for caches and instruction sets in the first two.
enter_suite () {
  local folder=$1
  shift
  [ "$(id -u)" -eq 0 ] || complain "--suite $suite needs root (chroot)"
  [ -e "$peer_root/etc/debian_version" ] ||
    complain "no $peer_root; --fetch makes it"
  mkdir -p "$folder" "$peer_root$folder"
  # shellcheck disable=SC2016
  FORGE_BENCH_INSIDE=1 exec unshare --mount --propagation private bash -c '
    set -e
    peer_root=$1 folder=$2
    shift 2
    mountpoint -q "$peer_root/proc" || mount -t proc proc "$peer_root/proc"
    mountpoint -q "$peer_root/sys" || mount --bind /sys "$peer_root/sys"
    mountpoint -q "$peer_root/dev" || mount --bind /dev "$peer_root/dev"
    mount --bind "$folder" "$peer_root$folder"
    exec "$@"' - "$peer_root" "$folder" "$0" "$@"
}

# What a JSON document of ours begins with.
json_head () {
  printf '{"date": "%s", "cpu": "%s", "cpus": %d, "suite": "%s", "commit": "%s",' \
    "$(date -u +%FT%TZ)" \
    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
    "$(nproc)" "$suite" \
    "$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)"
}

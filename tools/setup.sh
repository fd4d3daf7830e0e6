#!/usr/bin/env bash
# Installs what one purpose needs and this machine lacks: tools/setup.sh run|test|ci|bench|docs
# Says what it installs and why before it does. Never starts a service, never removes or upgrades a package.
set -euo pipefail
cd "$(dirname "$0")/.."

purpose=${1:-run}
case $purpose in
  run | test | ci | bench | docs) ;;
  *)
    echo "usage: tools/setup.sh run|test|ci|bench|docs" >&2
    exit 2
    ;;
esac

run_packages=(g++ cmake ninja-build pkg-config ccache zlib1g-dev libsimdjson-dev libssl-dev libc-ares-dev
  libtomlplusplus-dev libcli11-dev libspdlog-dev libfmt-dev libedit-dev nlohmann-json3-dev scdoc)
test_packages=(libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev valgrind
  python3 python3-websockets golang-go golang-github-gorilla-websocket-dev
  golang-github-hashicorp-yamux-dev golang-github-inconshreveable-muxado-dev
  chromium nginx-light openssl curl)
ci_packages=(clang-19 clang-tidy-19 clang-format-19 libclang-rt-19-dev lld-19 doxygen)
bench_packages=(libbenchmark-dev libboost1.81-dev libwebsockets-dev libwebsocketpp-dev linux-perf)

wanted=("${run_packages[@]}")
case $purpose in
  test) wanted+=("${test_packages[@]}") ;;
  ci) wanted+=("${test_packages[@]}" "${ci_packages[@]}") ;;
  bench) wanted+=("${bench_packages[@]}") ;;
  docs) wanted=(doxygen scdoc) ;;
esac

reason() {
  case $purpose in
    run) echo "to build and run sinnet" ;;
    test) echo "to build sinnet and run its tests, real peers included" ;;
    ci) echo "to build sinnet with both compilers and run every check" ;;
    bench) echo "to measure sinnet against its peers" ;;
    docs) echo "to build the documentation" ;;
  esac
}

# Node 18 or later, from wherever: Debian's own nodejs and npm are added only where `npm` is missing.
needs_npm=no
case $purpose in
  test | ci) command -v npm > /dev/null || needs_npm=yes ;;
esac

if ! command -v apt-get > /dev/null || ! command -v dpkg-query > /dev/null; then
  missing_tools=()
  for tool in g++ cmake ninja pkg-config; do
    command -v "$tool" > /dev/null || missing_tools+=("$tool")
  done
  echo "This system has no apt, so nothing is installed for you. The names below are Debian 12's;" >&2
  echo "your distribution has the same software. You need, $(reason):" >&2
  printf '  %s\n' "${wanted[@]}" >&2
  [ "$needs_npm" = no ] || echo "  nodejs npm (Node 18 or later)" >&2
  if [ ${#missing_tools[@]} -gt 0 ]; then
    echo "Certainly missing: ${missing_tools[*]}" >&2
    exit 1
  fi
else
  missing=()
  for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
  done
  [ "$needs_npm" = no ] || missing+=(nodejs npm)
fi

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)

# apt starts nginx (and apache2, where it is pulled in) after installing it. A policy-rc.d that answers 101
# forbids that; the machine's own one, if any, comes back afterwards, however this script ends.
policy=/usr/sbin/policy-rc.d
policy_saved=
policy_ours=no
restore_policy() {
  [ "$policy_ours" = yes ] || return 0
  policy_ours=no
  if [ -n "$policy_saved" ]; then
    "${as_root[@]}" mv "$policy_saved" "$policy"
  else
    "${as_root[@]}" rm -f "$policy"
  fi
}
forbid_services() {
  trap restore_policy EXIT
  trap 'exit 130' INT TERM
  if [ -e "$policy" ]; then
    policy_saved=$policy.before-sinnet
    "${as_root[@]}" mv "$policy" "$policy_saved"
  fi
  policy_ours=yes
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" > /dev/null
  "${as_root[@]}" chmod 755 "$policy"
}

apt_install() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" < /dev/null
}

if [ -n "${missing+set}" ] && [ ${#missing[@]} -gt 0 ]; then
  echo "Installing with apt, $(reason):"
  printf '  %s\n' "${missing[@]}"
  if [ ${#as_root[@]} -gt 0 ] && ! command -v sudo > /dev/null; then
    echo "Not root and no sudo here. As root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  forbid_services
  # Only a machine whose package lists are absent or stale pays for an update.
  if ! apt_install "${missing[@]}"; then
    echo "Not to be had from the package lists here; refreshing them and trying once more."
    "${as_root[@]}" apt-get update
    apt_install "${missing[@]}"
  fi
  restore_policy
fi

# npm packages of the tests against real peers: once per lock file.
npm_install() {
  local folder=$1 stamp=$1/node_modules/.installed-for
  [ -f "$folder/package-lock.json" ] || return 0
  local wanted_sum
  wanted_sum=$(sha256sum < "$folder/package-lock.json")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted_sum" ]; then return 0; fi
  echo "Installing the npm packages of $folder (npm ci), $(reason)"
  (cd "$folder" && npm ci --no-audit --no-fund < /dev/null)
  mkdir -p "$folder/node_modules"
  echo "$wanted_sum" > "$stamp"
}
case $purpose in
  test | ci)
    npm_install tests/interop
    npm_install tests/e2e
    npm_install clients/js
    ;;
esac

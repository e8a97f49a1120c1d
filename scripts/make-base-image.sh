#!/usr/bin/env bash
# Make the Dockerfiles' base image where no registry can be reached: a minimal Debian by debootstrap, as root.
# This machine's CA certificates go into it, so that downloads inside builds work behind the same proxy.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
value() { sed -n "s/^ARG $1=//p" "$here/Dockerfile.1.inference"; }
version=$(value BASE_VER)
image="$(value BASE_REPO):$version"
case $version in # debootstrap knows Debian's releases by name
    13.*|trixie*) suite=trixie ;;
    12.*|bookworm*) suite=bookworm ;;
    *) echo "error: BASE_VER=$version is no Debian release that this script knows: 12.* and 13.* are" >&2; exit 2 ;;
esac
if docker image inspect "$image" >/dev/null 2>&1; then
    echo "$image is there already"
    exit
fi
if docker pull -q "$image" 2>/dev/null; then
    exit
fi
echo "no registry gives $image: making it by debootstrap" >&2
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
debootstrap --variant=minbase "$suite" "$scratch/tree" >"$scratch/log" 2>&1 || { tail -5 "$scratch/log" >&2; exit 3; }
echo "made of Debian $(cat "$scratch/tree/etc/debian_version")" >&2
rm -rf "$scratch"/tree/var/cache/apt/archives/*.deb "$scratch"/tree/var/lib/apt/lists/*
# Under a name of its own: the package ca-certificates rewrites the usual file.
bundle=etc/ssl/host-ca-certificates.crt
changes=()
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    mkdir -p "$scratch/tree/etc/ssl"
    cp /etc/ssl/certs/ca-certificates.crt "$scratch/tree/$bundle"
    changes=(--change "ENV PIP_CERT=/$bundle CURL_CA_BUNDLE=/$bundle SSL_CERT_FILE=/$bundle")
fi
tar -C "$scratch/tree" -c . | docker import "${changes[@]}" - "$image"

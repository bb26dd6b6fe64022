#!/bin/sh
# VirtualGL, with which programs on a desktop without a screen draw on the GPU. No system has it, so
# it comes from its makers' own registry, signed. Without a driver there is nothing to do.
set -eu
if ! nvidia-smi >/dev/null 2>&1; then
    echo "this system has no NVIDIA driver: programs draw without the GPU"
    exit 0
fi
key=/usr/share/keyrings/virtualgl.gpg
curl -fsSL --retry 5 https://packagecloud.io/dcommander/virtualgl/gpgkey | gpg --dearmor --yes -o "$key"
cat > /etc/apt/sources.list.d/virtualgl.sources <<EOF
Types: deb
URIs: https://packagecloud.io/dcommander/virtualgl/any/
Suites: any
Components: main
Signed-By: $key
EOF
apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5 update
apt-get -y -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=5 install --no-install-recommends virtualgl
for group in video render; do
    usermod --append --groups "$group" "$ROOST_USER" || true
done

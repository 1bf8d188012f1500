#!/usr/bin/env bash
# Builds dist/aimond_VERSION_ARCH.deb for the Debian that it runs on, its Python libraries inside. See debian/rules.
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$PWD
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' aimond/__init__.py)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/aimond" dist
cp -r debian requirements.lock "$work/aimond"
cat >"$work/aimond/debian/changelog" <<EOF
aimond ($version) unstable; urgency=medium

  * What is new stands in the history of the source.

 -- $(sed -n 's/^Maintainer: //p' debian/control)  $(date -R -d "@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}")
EOF
build() {
    "$tree/.venv/bin/python" -m hatchling build --target wheel --directory "$work/wheel"
    cd "$work/aimond"
    WHEEL=$(echo "$work"/wheel/*.whl) PIP="$tree/.venv/bin/python -m pip --disable-pip-version-check --python /usr/bin/python3" \
        dpkg-buildpackage --build=binary --no-check-builddeps --unsigned-changes
}
(build) >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
mv "$work"/*.deb "$tree/dist/"
ls "$tree"/dist/aimond_"$version"_*.deb

#!/usr/bin/env bash
# As login.sh, on another system: that of the directory ROOT, which is changed.
# usage, as root: unshare --mount --pid --fork --mount-proc --cgroup --net --kill-child elsewhere.sh ROOT DIRECTORY UID
set -euo pipefail
root=$1 directory=$2 user=$3

mount --make-rprivate /
ip link set lo up
mount --bind "$root" "$root"
mount -t proc none "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mkdir -p "$root$directory"
cp "$(dirname "$0")/login.sh" "$root$directory/"
# Not chroot: in one, no namespace of users can be made.
mkdir -p "$root/mnt"
cd "$root"
pivot_root . mnt
umount --lazy /mnt
exec /usr/bin/bash "$directory/login.sh" "$directory" "$user"

#!/usr/bin/env bash
# The login of an unprivileged user as systemd makes it: a manager of her own, with a session bus that it starts.
# usage, as root: unshare --mount --pid --fork --mount-proc --cgroup --net --kill-child login.sh DIRECTORY UID PATH...
# DIRECTORY gets her home; she can read the PATHs. Nothing outside is changed, and nothing survives.
set -euo pipefail
directory=$1 user=$2
shift 2

mount --make-rprivate /
if command -v ip >/dev/null; then ip link set lo up; fi # else elsewhere.sh has
mount -t cgroup2 none /sys/fs/cgroup
group=/sys/fs/cgroup/${directory##*/}
mkdir "$group"
echo $$ >"$group/cgroup.procs"
chown -R "$user:$user" "$group"
mount -t tmpfs -o mode=755 none /run
# The manager of the system has made them for its own services; without the second (252) and the third (257), that of a
# user has no place for a service's mounts.
mkdir -p /run/systemd/system /run/systemd/unit-root /run/systemd/mount-rootfs "/run/user/$user" "$directory/home"
chown "$user:$user" "/run/user/$user" "$directory" "$directory/home"
chmod 700 "/run/user/$user"
{ cat /etc/passwd; echo "desk:x:$user:$user::$directory/home:/bin/bash"; } >"$directory/passwd"
mount --bind "$directory/passwd" /etc/passwd

as_user() { setpriv --reuid "$user" --regid "$user" --clear-groups "$@"; }

# What lies in somebody's private directory, such as root's, is shown with nothing beside it.
declare -A shown
for path in "$@"; do
    as_user test -x "$path" && continue
    closed=$path
    while ! as_user test -x "$(dirname "$closed")"; do closed=$(dirname "$closed"); done
    until [ -d "$closed" ] && ! as_user test -x "$closed"; do closed=$closed/$(realpath --relative-to="$closed" "$path" | cut -d/ -f1); done
    mkdir -p "$directory/shown$path"
    mount --bind "$path" "$directory/shown$path"
    shown[$closed]=1
done
for closed in "${!shown[@]}"; do
    mount --rbind "$directory/shown$closed" "$closed"
done

as_user env -i HOME="$directory/home" USER=desk LOGNAME=desk SHELL=/bin/bash PATH=/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 XDG_RUNTIME_DIR="/run/user/$user" SYSTEMD_LOG_TARGET=console \
    /usr/lib/systemd/systemd --user >"$directory/systemd.log" 2>&1 &
trap 'exit 0' TERM
while :; do wait || sleep 0.1; done # as an init does: whose parent is gone is ours

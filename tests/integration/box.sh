#!/bin/bash
# box.sh FOLDER NAME: a systemd of its own as PID 1, in namespaces of its own over a copy-on-write view of this machine.
# Nothing it writes survives; the network is shared, so that what listens on loopback inside answers outside.
set -eu
folder=$1 name=$2 groups=/sys/fs/cgroup

if [ "${3:-}" != inside ]; then
  for tree in "$groups"/*/; do                       # a cgroup of its own in every hierarchy
    [ -e "$tree/cgroup.procs" ] || continue
    mkdir -p "$tree/$name"
    for file in cpuset.cpus cpuset.mems; do [ ! -e "$tree/$file" ] || cat "$tree/$file" >"$tree/$name/$file"; done
    echo $$ >"$tree/$name/cgroup.procs"
  done
  exec unshare --mount --pid --fork --kill-child=SIGKILL --cgroup --ipc --uts --propagation private "$0" "$1" "$2" inside
fi

hostname box
mkdir -p "$folder/layers" && mount -t tmpfs -o size=4g tmpfs "$folder/layers" && cd "$folder/layers"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$PWD/upper,workdir=$PWD/work" root && cd root
mount -t proc proc proc
mount --bind proc/sys proc/sys && mount -o remount,ro,bind proc/sys      # the kernel's settings are this machine's
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty kmsg; do touch dev/$node && mount --bind /dev/$node dev/$node; done
mkdir dev/pts dev/shm && mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx && ln -s /proc/self/fd dev/fd && mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run && mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
for tree in "$groups"/*/; do
  kind=$(basename "$tree")
  [ -e "$tree/cgroup.procs" ] || continue
  mkdir "sys/fs/cgroup/$kind"
  case $kind in
    unified) mount -t cgroup2 cgroup2 "sys/fs/cgroup/$kind" ;;
    systemd) mount -t cgroup -o none,name=systemd cgroup "sys/fs/cgroup/$kind" ;;
    *) mount -t cgroup -o "$kind" cgroup "sys/fs/cgroup/$kind" || rmdir "sys/fs/cgroup/$kind" ;;
  esac
done
: >etc/machine-id
mkdir .before && pivot_root . .before && cd / && umount -l /.before && rmdir /.before
exec env -i container=box PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
  /lib/systemd/systemd --system --unit=basic.target --log-target=journal --crash-shell=no

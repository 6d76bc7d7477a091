#!/bin/bash
# vm.sh WORK SHARE: boots this machine's own root, read-only under a copy-on-write layer, with Debian's kernel, systemd and
# cgroup v2 in an emulated machine. SHARE is /mnt inside: its test.sh is run as root, what it prints is SHARE/out.log and its
# exit status SHARE/rc. Nothing else is changed, and the network reaches nothing.
set -eu
work=$1 share=$(realpath "$2")
mkdir -p "$work" && cd "$work"

if [ ! -e initrd.gz ]; then
  package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
  version=${package#linux-image-}
  apt-get download -q "$package" >/dev/null 2>&1
  dpkg -x "$package"_*.deb kernel && depmod -b kernel "$version"
  mkdir -p tree/bin tree/modules tree/new tree/lower tree/upper tree/proc tree/dev
  cp /bin/busybox tree/bin/
  for name in virtio_pci 9pnet_virtio 9p overlay; do modprobe -d kernel -S "$version" --show-depends "$name"; done |
    awk '$1 == "insmod" && !seen[$2]++ {print $2}' | while read -r module; do
      cp "$module" tree/modules/ && basename "$module" >>tree/modules/order
    done
  cat >tree/init <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules/order); do $b insmod "/modules/$module"; done
options=trans=virtio,version=9p2000.L,msize=1048576
$b mount -t 9p -o $options,ro,cache=loose root /lower || $b poweroff -f
$b mount -t tmpfs -o size=60% tmpfs /upper
$b mkdir /upper/changes /upper/work
$b mount -t overlay overlay -o lowerdir=/lower,upperdir=/upper/changes,workdir=/upper/work /new
$b mount -t tmpfs tmpfs /new/tmp
: >/new/etc/machine-id
: >/new/etc/fstab
$b mount -t 9p -o $options share /new/mnt
$b cat >/new/etc/systemd/system/vm.service <<'UNIT'
[Unit]
Wants=basic.target dbus.socket
After=basic.target dbus.socket
[Service]
Type=oneshot
ExecStart=/bin/bash -c 'ip link set lo up; bash /mnt/test.sh >/mnt/out.log 2>&1; echo $? >/mnt/rc'
ExecStopPost=/usr/bin/systemctl poweroff --force --force
UNIT
$b umount /proc
$b mount --move /dev /new/dev
exec $b switch_root /new /lib/systemd/systemd --unit=vm.service
INIT
  chmod +x tree/init
  (cd tree && find . | cpio -o -H newc --quiet | gzip -1) >initrd.gz
fi

rm -f "$share/rc" "$share/out.log"
exec qemu-system-x86_64 -accel tcg -cpu max -m 3072 -smp 1 -display none -serial file:console.log -no-reboot -nic none \
  -kernel kernel/boot/vmlinuz-* -initrd initrd.gz -append "console=ttyS0 quiet panic=-1" \
  -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
  -virtfs local,path="$share",mount_tag=share,security_model=none </dev/null

# Installs the packages named as arguments (run as root), and keeps them from starting or enabling
# servers of their own: the launcher starts private ones. What is changed for that is put back.
set -eu
export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1

policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.conf
had_policy=; had_cluster=
saved=$(mktemp -d)

restore() {
    rm -f "$policy"
    [ -z "$had_policy" ] || mv "$saved/policy" "$policy"
    if [ -n "$had_cluster" ]; then
        mv "$saved/cluster" "$cluster"
    elif [ -f /usr/share/postgresql-common/createcluster.conf ]; then
        cp /usr/share/postgresql-common/createcluster.conf "$cluster"
    else
        rm -f "$cluster"
        rmdir --ignore-fail-on-non-empty "${cluster%/*}"
    fi
    rm -rf "$saved"
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -e "$policy" ]; then cp -p "$policy" "$saved/policy"; had_policy=1; fi
if [ -e "$cluster" ]; then cp -p "$cluster" "$saved/cluster"; had_cluster=1; fi
printf '#!/bin/sh\nexit 101\n' > "$policy"
chmod 755 "$policy"
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' > "$cluster"

apt-get -o DPkg::Lock::Timeout=120 -q update
apt-get -o DPkg::Lock::Timeout=120 -q -y --no-install-recommends install "$@"

# On a machine with systemd a package enables its service for the next boot; nobody asked for that.
if [ -d /run/systemd/system ]; then
    for package in "$@"; do
        case $package in
            rabbitmq-server) systemctl disable rabbitmq-server.service epmd.socket epmd.service || true ;;
        esac
    done
fi

#!/usr/bin/env bash
# A real S3 service on one machine, for tests: Ceph with a monitor, an object daemon that keeps all in
# memory, and the RADOS gateway. Needs Debian's packages radosgw, ceph-mon, ceph-osd and ceph-common;
# is up in about 15 s; listens on 127.0.0.1 only, and goes away when its owner does.
#
#   ceph-one-node.sh start DIR PORT MONITOR-PORT MONITOR-PORT OWNER-PID
#   ceph-one-node.sh stop DIR
set -euo pipefail
verb=${1:?start or stop} dir=${2:?a folder}

pids() { cat "$dir"/run/*.pid 2>/dev/null || true; }

stop() {
  local pid signal
  for signal in TERM KILL; do
    for pid in $(pids); do kill -"$signal" "$pid" 2>/dev/null || true; done
    for _ in $(seq 50); do
      local alive=0
      for pid in $(pids); do ! kill -0 "$pid" 2>/dev/null || alive=1; done
      [[ $alive == 1 ]] || return 0
      sleep 0.1
    done
  done
}

if [[ $verb == stop ]]; then
  stop
  exit 0
fi

port=${3:?a port} monitor=${4:?a port} old_monitor=${5:?a port} owner=${6:?a process id}
mkdir -p "$dir"/{mon,osd,log,run}
conf=$dir/ceph.conf
address="[v2:127.0.0.1:$monitor,v1:127.0.0.1:$old_monitor]"
fsid=$(cat /proc/sys/kernel/random/uuid)
cat > "$conf" <<C
[global]
fsid = $fsid
mon_host = $address
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
keyring = /dev/null
ms_mon_client_mode = crc
ms_client_mode = crc
ms_cluster_mode = crc
ms_service_mode = crc
ms_mon_cluster_mode = crc
ms_mon_service_mode = crc
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
mon_data_avail_warn = 2
osd_objectstore = memstore
memstore_device_bytes = 4294967296
mon_data = $dir/mon
osd_data = $dir/osd
log_file = $dir/log/\$name.log
run_dir = $dir/run
pid_file = $dir/run/\$name.pid
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:$port
rgw_run_sync_thread = false
rgw_dns_name = localhost
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = key-of-the-tests=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
C

# If what owns the tests is killed, nobody else would stop it.
(
  while kill -0 "$owner" 2>/dev/null && [[ -d $dir/run ]]; do sleep 1; done
  stop
) </dev/null >/dev/null 2>&1 &

trap 'stop' ERR
uuid=$(cat /proc/sys/kernel/random/uuid)
monmaptool --create --clobber --fsid "$fsid" --addv a "$address" "$dir/monmap" >/dev/null
ceph-mon -c "$conf" --mkfs -i a --monmap "$dir/monmap"
ceph-mon -c "$conf" -i a
timeout 30 ceph -c "$conf" osd new "$uuid" >/dev/null
ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$uuid" 2>/dev/null
ceph-osd -c "$conf" -i 0 2>/dev/null
timeout 30 ceph -c "$conf" osd crush add osd.0 1 host=one root=default >/dev/null 2>&1
timeout 60 radosgw -c "$conf" -n client.rgw
user() {
  timeout 30 radosgw-admin -c "$conf" -n client.rgw user create --uid="$1" --display-name="$1" --access-key="$1" --secret-key="$2" >/dev/null 2>&1
}
user owner owner-secret-3141592653
user limited limited-secret-2718281828
for _ in $(seq 120); do
  ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || exit 0
  sleep 0.25
done
echo 'the gateway does not listen' >&2
stop
exit 1

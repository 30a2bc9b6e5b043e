#!/bin/sh
# Starts a program in the file system of a pod: runs in a mount namespace of its own (unshare).
#
#   enter.sh ROOT USER READONLY LOG MOUNT... -- COMMAND...
#
# ROOT      an empty folder
# USER      uid:gid of the program; empty: as it is
# READONLY  1: nothing but the mounts can be written
# LOG       where the program's output goes
# MOUNT     FOLDER:PATH:ro or FOLDER:PATH:rw
set -eu
root=$1 user=$2 readonly=$3 log=$4
shift 4

mount -t tmpfs tmpfs "$root"
# The image: what this machine has, without what a pod has of its own.
for entry in /*; do
  case $entry in /var | /run | /tmp | /config) continue ;; esac
  if [ -L "$entry" ]; then
    cp -P "$entry" "$root$entry"
  elif [ -d "$entry" ]; then
    mkdir "$root$entry"
    mount --rbind "$entry" "$root$entry"
    [ "$readonly" != 1 ] || mount -o remount,ro,bind "$root$entry" 2>/dev/null || true
  fi
done
while [ "$1" != -- ]; do
  folder=${1%%:*} rest=${1#*:}
  path=${rest%:*} mode=${rest##*:}
  mkdir -p "$root$path"
  mount --bind "$folder" "$root$path"
  [ "$mode" = rw ] || mount -o remount,ro,bind "$root$path"
  shift
done
shift
[ "$readonly" != 1 ] || mount -o remount,ro "$root"
echo 'the pod is made'
exec chroot ${user:+--userspec="$user"} "$root" "$@" >>"$log" 2>&1

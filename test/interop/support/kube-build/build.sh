#!/bin/sh
# Builds the programs of a Kubernetes control plane at the versions of go.mod and go.sum, and says how far it is.
#
#   SCRATCH=FOLDER build.sh FOLDER GO    GO is the go command
#
# In SCRATCH Go keeps gigabytes that nobody needs once the programs are there; whoever calls removes it. The programs come
# into FOLDER at the end, all at once.
set -eu
folder=$1 go=$2
cd "$(dirname "$0")"
began=$(date +%s)

say() { echo "$(($(date +%s) - began)) s: $*"; }

mkdir -p "$SCRATCH/bin" "$SCRATCH/work"
export GOCACHE="$SCRATCH/objects" GOMODCACHE="$SCRATCH/modules" GOTMPDIR="$SCRATCH/work"
export CGO_ENABLED=0 GOFLAGS=-modcacherw GOTOOLCHAIN=auto GOWORK=off

version=$("$go" list -m -f '{{.Version}}' k8s.io/kubernetes)
minor=${version#v1.} minor=${minor%%.*}
flags='-s -w'
# Packages whose variables say which version a program is; by themselves they say v0.0.0-master.
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  for variable in gitVersion="$version" gitMajor=1 gitMinor="$minor" gitCommit= gitTreeState=; do
    flags="$flags -X $package.$variable"
  done
done

build() {
  # Niced, for others want the machine too.
  nice -n 10 "$go" build -trimpath -buildvcs=false -mod=readonly -p=2 -ldflags "$flags" -o "$SCRATCH/bin/$1" "$2"
  say "built $1"
}

"$go" mod download
say "downloaded the modules of Kubernetes $version and etcd"
# Each needs most of what those before it needed.
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
build kubectl k8s.io/kubernetes/cmd/kubectl
build etcd go.etcd.io/etcd/server/v3
mv "$SCRATCH/bin" "$folder"

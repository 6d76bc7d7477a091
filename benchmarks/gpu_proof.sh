#!/usr/bin/env bash
# The whole proof on a real card in one go, some 17 minutes with PyTorch alone. What it sees lies in FOLDER after.
#   benchmarks/gpu_proof.sh FOLDER             everything
#   benchmarks/gpu_proof.sh FOLDER PART...     of: doctor accounts ledger cost planted overhead zoo, and two, for two
#                                              cards; FRAMEWORKS="torch tensorflow" asks both for their ledger
# PYTHON names the interpreter (default: python3), in whose environment soak and a CUDA build of PyTorch are.
set -uo pipefail

[ $# -ge 1 ] || { sed -n '2,6s/^# \?//p' "$0"; exit 2; }
mkdir -p "$1" && folder=$(cd "$1" && pwd) || exit 2
shift
python=${PYTHON:-python3}
cd "$(dirname "$0")/.."
failed=()

doctor() { "$python" -m soak doctor && "$python" -m soak doctor --json >"$folder/doctor.json"; }
accounts() { nvidia-smi; "$python" -m benchmarks.gpu accounts; }
ledger() { "$python" -m benchmarks.ledger ${FRAMEWORKS:-torch}; }
cost() { "$python" -m benchmarks.gpu cost --seconds 30; }
overhead() { "$python" -m benchmarks.overhead --device cuda --frameworks torch --pairs 3 --seconds 12; }

soaked() {  # FOLDER, then the arguments of `soak run`; the reports are copied out of the run
  local out=$1 code=0
  shift
  "$python" -m soak run "$@" --out "$out" || code=$?
  cp "$out"/*/report.html "$out"/*/report.json "$out"/*/record.sqlite "$out"
  return $code
}

planted() {  # both models, and leaks of every layer whose truth is known: the run fails where one is judged wrong
  soaked "$folder/planted-runs" configs/gpu-torch.toml &&
    "$python" -m benchmarks.gpu hours "$folder/planted-runs/report.json"
}

zoo() {  # what real code meets, each with its clean twin, for 40 s instead of minutes. Two may leak: then the run says 1
  soaked "$folder/zoo-runs" configs/gpu.toml --duration "40 s" --set 'run.sample_interval="0.25 s"' \
    --set 'run.order="listed"' --trial cudnn-plans --trial graph-capture --trial compiled-kept --trial fragments \
    --trial graph-retained-torch || [ $? -eq 1 ]
}

two() { soaked "$folder/two-runs" configs/gpu-two.toml; }

parts=(doctor accounts ledger cost planted overhead zoo)
[ $# -eq 0 ] || parts=("$@")
for name in "${parts[@]}"; do
  case $name in doctor | accounts | ledger | cost | planted | overhead | zoo | two) ;; *) echo "no part is named $name" >&2; exit 2 ;; esac
done
for name in "${parts[@]}"; do
  echo "== $name"
  "$name" 2>&1 | tee "$folder/$name.txt" || failed+=("$name")
done
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
echo "all that was asked for holds; see $folder"

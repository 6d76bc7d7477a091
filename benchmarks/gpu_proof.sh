#!/usr/bin/env bash
# The whole proof on a real card in one go, some 17 minutes with PyTorch alone. What it sees lies in FOLDER after.
#   benchmarks/gpu_proof.sh FOLDER             everything
#   benchmarks/gpu_proof.sh FOLDER PART...     of: doctor accounts ledger cost planted overhead zoo, and two, for two
#                                              cards; zoo-tensorflow, some 14 minutes
# FRAMEWORKS="torch tensorflow" asks both for their ledger; ZOO="retrace tapes" has zoo-tensorflow run these alone.
# LIMIT=540, where a command has a time limit: no part begins after so many seconds, and a run that is not done by then
# is asked to end, so that what was seen is judged. With ZOO the cases can be run in several commands.
# PYTHON names the interpreter (default: python3), in whose environment soak and a CUDA build of PyTorch are; for
# zoo-tensorflow a GPU build of TensorFlow, and no PyTorch.
set -uo pipefail

[ $# -ge 1 ] || { sed -n '2,11s/^# \?//p' "$0"; exit 2; }
mkdir -p "$1" && folder=$(cd "$1" && pwd) || exit 2
shift
python=${PYTHON:-python3}
[ "$python" = "${python#*/}" ] || python=$(cd "$(dirname "$python")" && pwd)/${python##*/}
cd "$(dirname "$0")/.."
export PYTHONUNBUFFERED=1  # what a part has said by then is in its file, also where it is killed
failed=()

doctor() { "$python" -m soak doctor --json >"$folder/doctor.json"; "$python" -m soak doctor; }
accounts() { nvidia-smi; "$python" -m benchmarks.gpu accounts; }
ledger() { "$python" -m benchmarks.ledger ${FRAMEWORKS:-torch}; }
cost() { "$python" -m benchmarks.gpu cost --seconds 30; }
overhead() { "$python" -m benchmarks.overhead --device cuda --frameworks torch --pairs 3 --seconds 12; }

limited() {  # the command, which is asked to end as by Ctrl-C once LIMIT seconds of this script have gone
  local left=$((${LIMIT:-0} - SECONDS))
  [ -n "${LIMIT:-}" ] || { "$@"; return; }
  timeout --foreground --preserve-status --signal=INT $((left > 0 ? left : 1)) "$@"
}

soaked() {  # FOLDER, then the arguments of `soak run`; reports and record are copied out of the newest run
  local out=$1 code=0 run
  shift
  rm -f "$out"/report.html "$out"/report.json "$out"/record.sqlite
  limited "$python" -m soak run "$@" --out "$out" || code=$?
  run=$(ls -td "$out"/*/ 2>/dev/null | head -n 1)
  [ -z "$run" ] || cp "$run"report.html "$run"report.json "$run"record.sqlite "$out"
  return $code
}

planted() {  # both models, and leaks of every layer whose truth is known: the run fails where one is judged wrong
  local code=0
  soaked "$folder/planted-runs" configs/gpu-torch.toml || code=$?
  [ ! -e "$folder/planted-runs/report.json" ] || "$python" -m benchmarks.gpu hours "$folder/planted-runs/report.json"
  return $code
}

zoo() {  # what real code meets, each with its clean twin, for 40 s instead of minutes. Two may leak: the run says 1 then
  soaked "$folder/zoo-runs" configs/gpu.toml --duration "40 s" --set 'run.sample_interval="0.25 s"' \
    --set 'run.order="listed"' --trial cudnn-plans --trial graph-capture --trial compiled-kept --trial fragments \
    --trial graph-retained-torch || [ $? -eq 1 ]
}

zoo-tensorflow() {  # what only TensorFlow meets, each with an expected verdict; on the processor it would say nothing
  local name only=()
  for name in ${ZOO:-}; do only+=(--trial "$name"); done
  soaked "$folder/zoo-tensorflow-runs" configs/gpu-tensorflow.toml --duration "40 s" --device cuda:0 \
    --set 'run.sample_interval="0.25 s"' --set 'run.order="listed"' "${only[@]}"
}

two() { soaked "$folder/two-runs" configs/gpu-two.toml; }

parts=(doctor accounts ledger cost planted overhead zoo)
[ $# -eq 0 ] || parts=("$@")
for name in "${parts[@]}"; do
  case $name in
    doctor | accounts | ledger | cost | planted | overhead | zoo | zoo-tensorflow | two) ;;
    *) echo "no part is named $name" >&2; exit 2 ;;
  esac
done
for name in "${parts[@]}"; do
  [ -z "${LIMIT:-}" ] || [ $SECONDS -lt "$LIMIT" ] || { failed+=("$name (not begun)"); continue; }
  echo "== $name, after $SECONDS s"
  "$name" 2>&1 | tee "$folder/$name.txt" || failed+=("$name")
done
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
echo "all that was asked for holds; see $folder"

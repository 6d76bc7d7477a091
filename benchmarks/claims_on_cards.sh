#!/usr/bin/env bash
# The claims of configs/claims-gpu.toml on real cards, part by part; records and answers lie in FOLDER after.
#   benchmarks/claims_on_cards.sh FOLDER             everything: some 35 minutes on one card
#   benchmarks/claims_on_cards.sh FOLDER PART...     of: lanes full short xla long, and scaling, for two cards
#   benchmarks/claims_on_cards.sh FOLDER answer      the answers alone, from the records that are there
#   benchmarks/claims_on_cards.sh --cpu FOLDER …     a rehearsal on the processor with tiny doses
# SEED and REPEATS make `short` smaller, where a command has a time limit: SEED=17 REPEATS=10, then SEED=27 REPEATS=10.
# LIMIT=540: no part begins after so many seconds, and a run that is not done by then is asked to end; trials that had
# ended count in the answers.
# PYTHON names the interpreter (default: python3), in whose environment soak and GPU builds of both frameworks are.
# `lanes` tells what bounds the video, the card or the stream. NVLink multicast is off.
set -uo pipefail

cpu=
[ "${1:-}" != --cpu ] || { cpu=1; shift; }
[ $# -ge 1 ] || { sed -n '2,12s/^# \?//p' "$0"; exit 2; }
mkdir -p "$1" && folder=$(cd "$1" && pwd) || exit 2
shift
python=${PYTHON:-python3}
[ "$python" = "${python#*/}" ] || python=$(cd "$(dirname "$python")" && pwd)/${python##*/}
cd "$(dirname "$0")/.."
export NCCL_NVLS_ENABLE=0 TORCH_SYMM_MEM_DISABLE_MULTICAST=1 NVSHMEM_DISABLE_NVLS=1
file=configs/claims-gpu.toml
export PYTHONUNBUFFERED=1  # what a part has said by then is in its file, also where it is killed
failed=()

limited() {  # the command, which is asked to end as by Ctrl-C once LIMIT seconds of this script have gone
  local left=$((${LIMIT:-0} - SECONDS))
  [ -n "${LIMIT:-}" ] || { "$@"; return; }
  timeout --foreground --preserve-status --signal=INT $((left > 0 ? left : 1)) "$@"
}

ran() {  # EXPERIMENT and more options: its run, whose record is then copied out as EXPERIMENT-TIME.sqlite
  local name=$1 began code=0 record
  shift
  began=$(date +%s)
  limited "$python" -m soak claims "$file" --run --experiment "$name" --out "$folder/runs/$name-$began" \
    --format markdown "$@" >"$folder/$name.md" || code=$?
  for record in "$folder/runs/$name-$began"/*/record.sqlite; do
    cp "$record" "$folder/$name-$began.sqlite" || code=1  # also where nothing was run
  done
  return $code
}

small=()
[ -z "$cpu" ] || small=(--device cpu --duration "${SECONDS_EACH:-4} s" --set run.repeats=1 --set run.parallel=1)
video=() pictures=() words=()
[ -z "$cpu" ] || video=(--set stream.height=32 --set stream.width=32
  --set 'trial.0.options={stem=8,hidden=32,batch=4}' --set 'trial.1.options={stem=8,hidden=32,batch=4}')
[ -z "$cpu" ] || pictures=(--set stream.height=32 --set stream.width=32 --set 'stream.clip_frames=[2]'
  --set trial.0.options.batch=1 --set trial.1.options.batch=1 --set 'trial.1.execution="eager"')
[ -z "$cpu" ] || words=(--set stream.vocabulary=500 --set stream.batch=2 --set 'stream.lengths=[32]')
tiny='{hidden=32,layers=1,heads=2}'

lanes() {
  local one code=0
  for one in torch tensorflow; do "$python" -m benchmarks.lanes --framework $one ${cpu:+--cpu} || code=$?; done
  return $code
}
full() { ran full "${small[@]}" "${video[@]}"; }
short() {
  local more=(${SEED:+--set run.seed=$SEED} ${REPEATS:+--set run.repeats=$REPEATS})
  ran short "${small[@]}" "${video[@]}" "${more[@]}"
}
xla() { ran xla "${small[@]}" "${pictures[@]}"; }
long() { ran long "${small[@]}" "${words[@]}" ${cpu:+--set trial.0.options=$tiny --set trial.1.options=$tiny}; }
scaling() {
  local n more=()
  [ -z "$cpu" ] || for n in 0 1 2 3; do more+=(--set "trial.$n.options=$tiny"); done
  [ -z "$cpu" ] || more+=(--set trial.3.devices=0)
  ran scaling "${small[@]}" "${words[@]}" "${more[@]}"
}
answer() {
  "$python" -m soak claims "$file" "$folder"/*.sqlite --json >"$folder/claims.json" &&
    "$python" -m soak claims "$file" "$folder"/*.sqlite
}

parts=(lanes full short xla long answer)
[ $# -eq 0 ] || parts=("$@")
for name in "${parts[@]}"; do
  case $name in
    lanes | full | short | xla | long | scaling | answer) ;;
    *) echo "no part is named $name" >&2; exit 2 ;;
  esac
done
for name in "${parts[@]}"; do
  if [ "$name" != answer ] && [ -n "${LIMIT:-}" ] && [ $SECONDS -ge "$LIMIT" ]; then
    failed+=("$name (not begun)")
    continue
  fi
  echo "== $name, after $SECONDS s"
  "$name" 2>&1 | tee "$folder/$name.txt" || failed+=("$name")
done
[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}"; exit 1; }

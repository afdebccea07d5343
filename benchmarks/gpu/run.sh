#!/usr/bin/env bash
# On a GPU machine, in the folder of the project with gpu_bundle/ beside it: what is to be checked there, in at most 8 minutes.
#   benchmarks/gpu/run.sh [FOLDER]     report and logs go to FOLDER (gpu_report)
# Each part has a time limit, and a part that fails or is cut off ends no other. Only what ran is in the report.
set -uo pipefail
cd "$(dirname "$0")/../.."
out=${1:-gpu_report}
mkdir -p "$out"
python=${PYTHON:-python3}
$python -m venv --system-site-packages "$out/.venv" || exit 1
run=$out/.venv/bin/python
$run -m pip install --quiet --no-index --no-deps gpu_bundle/wheels/*.whl || echo "some wheels do not fit this Python"
export PYTHONPATH=$PWD

part() {  # NAME SECONDS COMMAND...
  local name=$1 limit=$2 began=$SECONDS code
  shift 2
  timeout "$limit" "$@" >"$out/$name.log" 2>&1
  code=$?
  { echo "## $name: exit code $code after $((SECONDS - began)) s (124: cut off after $limit s)"; tail -n 15 "$out/$name.log"; echo; } >>"$out/report.md"
}

: >"$out/report.md"
part machine 30 $run -c 'import platform, torch; print(platform.python_version(), torch.__version__, torch.cuda.get_device_name(0) if torch.cuda.is_available() else "torch sees no GPU")'
part tests 90 $run -m pytest -q -m gpu tests/model/test_gpu.py -p no:cacheprovider
part inference 70 $run -m benchmarks.gpu.measure inference
part training 50 $run -m benchmarks.gpu.measure training --steps 40
part longer 240 $run -m benchmarks.gpu.measure training --steps 400
cat "$out/report.md"

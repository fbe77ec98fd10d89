#!/usr/bin/env bash
# For anyone with a GPU: builds with a CUDA libtorch, runs on it every test that can run there, measures, and prints a table.
#   deploy/gpu-check.sh                         the package TorchSharp-cuda-linux where it can be fetched, else the libtorch of Python's torch 2.10
#   SAEUNBOX_LIBTORCH=DIR deploy/gpu-check.sh   an unpacked CUDA libtorch 2.10, or the folder of an installed Python package torch 2.10
#   SAEUNBOX_TEST_DEVICE=cpu                    another device than cuda; for cpu the usual package is taken where no folder is named
#   SAEUNBOX_BENCH_ARGS="--dtype bf16"          other options for saeunbox bench
# Builds under artifacts/gpu-check, so that the usual build stays as it is. Safe to run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'gpu-check: %s\n' "$*"; }
fail() { printf 'gpu-check: %s; nothing was run\n' "$*" >&2; exit 1; }

wanted=2.10 # the libtorch that TorchSharp's library is built for
device=${SAEUNBOX_TEST_DEVICE:-cuda}
export SAEUNBOX_TEST_DEVICE=$device
named=${SAEUNBOX_LIBTORCH:-}
unset SAEUNBOX_LIBTORCH
programs=(src/SaeUnbox.Cli tests/SaeUnbox.Models.Tests tests/SaeUnbox.Steering.Tests tests/SaeUnbox.Lab.Tests)

deploy/sdk.sh
if [[ $device == cuda* ]]; then
  command -v nvidia-smi >/dev/null || fail "nvidia-smi is missing: there is no NVIDIA driver here"
  gpu=$(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | head -n 1) && [ -n "$gpu" ] || fail "nvidia-smi finds no GPU"
  say "GPU: $gpu"
fi

holds() { [ -f "$1/lib/$2" ] || [ -f "$1/$2" ]; }
# An unpacked libtorch tells its version in build-version, the Python package in version.py.
version_of() { { cat "$1/build-version" || sed -nE "s/^__version__ = '(.*)'.*/\1/p" "$1/version.py" || true; } 2>/dev/null | head -n 1; }
use_folder() { # use_folder DIR
  local folder=$1 version
  holds "$folder" libtorch_cpu.so || fail "$folder holds no lib/libtorch_cpu.so; name an unpacked libtorch $wanted"
  version=$(version_of "$folder")
  case $version in
    "$wanted" | "$wanted".*) ;;
    '') say "$folder does not tell its version; it must be $wanted" ;;
    *) fail "$folder is libtorch $version, and TorchSharp needs $wanted" ;;
  esac
  [[ $device != cuda* ]] || holds "$folder" libtorch_cuda.so || fail "$folder is a build without CUDA: libtorch_cuda.so is missing"
  torch=none
  export SAEUNBOX_LIBTORCH=$folder
  say "libtorch: ${version:-version unknown}, of $folder"
}
# -p:Torch=cuda is the package, none a folder that SAEUNBOX_LIBTORCH names when the program runs.
out_of() { printf '%s/artifacts/gpu-check/%s' "$PWD" "${1:-cpu}"; }
restores() { # restores cuda
  dotnet restore src/SaeUnbox.Cli -p:Torch="$1" -p:ArtifactsPath="$(out_of "$1")" --verbosity quiet 2>&1
}

torch=''
if [ -n "$named" ]; then
  [ -d "$named" ] || fail "SAEUNBOX_LIBTORCH is $named: there is no such folder"
  use_folder "$(realpath "$named")"
elif [[ $device == cuda* ]]; then
  say "fetching TorchSharp-cuda-linux, some gigabytes the first time"
  if why=$(restores cuda); then
    torch=cuda
    say "libtorch: that of the package TorchSharp-cuda-linux"
  else
    say "TorchSharp-cuda-linux cannot be fetched: $(grep -m 1 -oE 'error NU.*' <<<"$why" || tail -n 1 <<<"$why")"
    folder=$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))' 2>/dev/null) ||
      fail "python3 has no torch either: set SAEUNBOX_LIBTORCH to an unpacked CUDA libtorch $wanted"
    use_folder "$folder"
  fi
else
  say "libtorch: the usual package for processors"
fi

out=$(out_of "$torch")
say "building"
for project in "${programs[@]}"; do
  dotnet build "$project" --configuration Release --verbosity quiet --nologo -p:Torch="$torch" -p:ArtifactsPath="$out"
done
saeunbox() { dotnet "$out/bin/SaeUnbox.Cli/release/saeunbox.dll" "$@"; }
saeunbox generate --model tests/goldens/model --prompt x --width 64 --height 64 --device "$device" --out "$out/first.png" >/dev/null ||
  fail "no picture can be made on $device, for the reason above"

# The classes of a test project that run on SAEUNBOX_TEST_DEVICE: they name TestDevice, or a class of their project that does.
device_classes() {
  local files="tests/SaeUnbox.$1.Tests" names='(On)?TestDevice' before=''
  until [ "$names" = "$before" ]; do
    before=$names
    names="(On)?TestDevice$(grep -lrwE --include='*.cs' "$names" "$files" | sort | while read -r file; do printf '|%s' "$(basename "$file" .cs)"; done)"
  done
  grep -lrwE --include='*Tests.cs' "$names" "$files" | while read -r file; do basename "$file" .cs; done
}

table=() failed=0
for name in Diffusion Inference; do
  classes=() status=0
  for class in $(device_classes $name); do classes+=(-class "*.$class"); done
  say "$((${#classes[@]} / 2)) test classes of $name on $device"
  dotnet "$out/bin/SaeUnbox.$name.Tests/release/SaeUnbox.$name.Tests.dll" -noColor "${classes[@]}" >"$out/$name.log" 2>&1 || status=$?
  [ $status -eq 0 ] || { failed=1; cat "$out/$name.log"; }
  table+=("$(printf '%-28s %s' "tests, $name" "$(sed -nE 's/.*(Total: [0-9]+), (Errors: [0-9]+, Failed: [0-9]+, Skipped: [0-9]+).*/\1, \2/p' "$out/$name.log" | tail -n 1)")")
done

say "measuring: saeunbox bench --device $device"
read -ra options <<<"${SAEUNBOX_BENCH_ARGS:---architecture sdxl-turbo --dtype bf16}"
if saeunbox bench --device "$device" "${options[@]}" >"$out/bench.txt"; then
  cat "$out/bench.txt"
  table+=("$(printf '%-28s %s' bench "$out/bench.txt")")
else
  failed=1
  table+=("$(printf '%-28s %s' bench 'could not be run, for the reason above')")
fi

say "summary"
printf '  %s\n' "${table[@]}"
[ $failed -eq 0 ] || { say "not all of it worked on $device" >&2; exit 1; }

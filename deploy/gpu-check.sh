#!/usr/bin/env bash
# For anyone with a GPU: builds against a CUDA libtorch, runs on it every test that can run there, measures, and prints a table.
#   SAEUNBOX_LIBTORCH=DIR deploy/gpu-check.sh   an unpacked libtorch, or the folder of an installed Python package torch
#   deploy/gpu-check.sh                         the libtorch inside the torch package of python3
#   SAEUNBOX_TEST_DEVICE=cpu                    another device than cuda; on cpu Debian's libtorch will do
#   SAEUNBOX_BENCH_ARGS="--dtype bf16"          other options for saeunbox bench
# Builds under artifacts/gpu-check, so that the usual build stays as it is. Safe to run again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'gpu-check: %s\n' "$*"; }
fail() { printf 'gpu-check: %s\n' "$*" >&2; exit 1; }

device=${SAEUNBOX_TEST_DEVICE:-cuda}
export SAEUNBOX_TEST_DEVICE=$device
if [ -z "${SAEUNBOX_LIBTORCH:-}" ]; then
  # torch.utils.cmake_prefix_path is .../torch/share/cmake
  prefix=$(python3 -c 'import torch; print(torch.utils.cmake_prefix_path)' 2>/dev/null || true)
  if [ -n "$prefix" ]; then
    export SAEUNBOX_LIBTORCH=${prefix%/share/cmake}
  elif [ "$device" != cpu ]; then
    fail "no libtorch found: set SAEUNBOX_LIBTORCH to an unpacked CUDA libtorch, or install the Python package torch (a CUDA build)"
  fi
fi
if [[ $device == cuda* ]]; then
  command -v nvidia-smi >/dev/null || fail "nvidia-smi is missing: there is no NVIDIA driver here"
  compgen -G "$SAEUNBOX_LIBTORCH/lib/libtorch_cuda*.so" >/dev/null ||
    fail "$SAEUNBOX_LIBTORCH is a build without CUDA: lib/libtorch_cuda.so is missing"
  say "GPU: $(nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | head -n 1)"
fi
say "libtorch: ${SAEUNBOX_LIBTORCH:-Debian\'s libtorch-dev}"

deploy/setup.sh

out=$PWD/artifacts/gpu-check
say "building"
for project in tests/SaeUnbox.Diffusion.Tests tests/SaeUnbox.Inference.Tests src/SaeUnbox.Cli; do
  dotnet build $project --configuration Release --verbosity quiet --nologo -p:ArtifactsPath="$out"
done

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
  table+=("$(printf '%-28s %s' "tests, $name" "$(sed -nE 's/.*(Total: [0-9]+), (Errors: [0-9]+, Failed: [0-9]+).*/\1, \2/p' "$out/$name.log" | tail -n 1)")")
done

say "measuring: saeunbox bench --device $device"
read -ra options <<<"${SAEUNBOX_BENCH_ARGS:---architecture sdxl-turbo --dtype bf16}"
dotnet "$out/bin/SaeUnbox.Cli/release/saeunbox.dll" bench --device "$device" "${options[@]}" | tee "$out/bench.txt"

say "summary"
printf '  %s\n' "${table[@]}" "$(printf '%-28s %s' 'bench' "$out/bench.txt")"
[ $failed -eq 0 ] || fail "tests failed on $device"

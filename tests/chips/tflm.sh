#!/usr/bin/env bash
# TensorFlow Lite Micro's sources, which no package has, as the tree that its own create_tflm_tree.py makes, into the folder
# that is named: with CMSIS-NN's kernels in FOLDER/cmsis_nn, with its plain ones in FOLDER/plain. Needs a network, wget, and a
# python3 with NumPy and Pillow.
set -euo pipefail
folder=$1
commit=90b983c2b3f1480642e040bbd2ddb37b998f3424 # of August 2026, by which micro_operators.py was written
[ ! -e "$folder/cmsis_nn" ] || exit 0
mkdir -p "$folder"
if ! [ -d "$folder/sources" ]; then
    git -c advice.detachedHead=false clone -q --filter=blob:none https://github.com/tensorflow/tflite-micro "$folder/part" &&
        git -C "$folder/part" checkout -q "$commit" || {
        rm -rf "$folder/part"
        echo "no network: without TensorFlow Lite Micro's sources the tests that link them will be skipped"
        exit 0
    }
    mv "$folder/part" "$folder/sources"
fi
cd "$folder/sources"
script=tensorflow/lite/micro/tools/project_generation/create_tflm_tree.py
python3 "$script" "$folder/plain"
python3 "$script" --makefile_options="OPTIMIZED_KERNEL_DIR=cmsis_nn" "$folder/cmsis_nn"

# Thin: installs what is missing, then calls the CMake presets. "make help" lists the targets.
JOBS ?= $(shell nproc)
MLX ?= ON# OFF: without the MLX backends and their wheels
export MLX

BUILD := build
PROMPT ?= In the beginning God

.DEFAULT_GOAL := help
.PHONY: help setup demo build test test-long test-neon bench bench-peers check format tidy clean

help:  ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup:  ## Install what is missing (Debian packages, .venv); safe to repeat
	@tools/setup.sh build

# Configured once; from then on ninja itself runs CMake again when a list file changes. A change of MLX starts afresh.
$(BUILD)/mlx-$(MLX): CMakePresets.json | setup
	cmake --preset release -DXLSTM_MLX=$(MLX)
	@rm -f $(BUILD)/mlx-*
	@touch $@

demo: $(BUILD)/mlx-$(MLX)  ## Set up, build build/bin/xlstm, and generate text from the embedded model
	@cmake --build --preset release -j $(JOBS) --target xlstm_cli
	@printf '\n%s' "$(PROMPT)"
	@$(BUILD)/bin/xlstm generate --prompt "$(PROMPT)" --max-tokens 64 --temperature 0.8 --top-k 40 --seed 1

build: $(BUILD)/mlx-$(MLX)  ## Set up and build everything: library, program, tests
	@cmake --build --preset release -j $(JOBS)

test: build  ## Set up, build, and run the tests (15 minutes at most on two cores)
	ctest --preset release -j $(JOBS) -LE long --no-label-summary

test-long: setup  ## Sanitizers on everything, aarch64 under qemu, long fuzzing, soak; results in bench/results/
	@tools/setup.sh build develop neon
	tools/test_long.sh

test-neon:  ## Build for aarch64 and run the tests under qemu (a part of test-long)
	@MLX=OFF tools/setup.sh build neon
	tools/test_neon.sh

bench: $(BUILD)/mlx-$(MLX)  ## Speed of the models and of the machine; results in bench/results/
	cmake --preset release -DXLSTM_BENCH=ON
	@cmake --build --preset release -j $(JOBS)
	bench/run.sh $(BUILD)

bench-peers: $(BUILD)/mlx-$(MLX)  ## The same beside llama.cpp, PyTorch + xlstm and Hugging Face tokenizers (installed into bench/peers on request)
	cmake --preset release -DXLSTM_BENCH=ON
	@cmake --build --preset release -j $(JOBS)
	bench/peers/run.sh $(BUILD)

check:  ## Layers, source form, clang-format: what pre-commit runs
	@tools/setup.sh build develop
	tools/check_layers.py
	tools/check_sources.py
	tools/check_format.sh

format:  ## Rewrite the sources as clang-format wants them
	@tools/setup.sh build develop
	tools/check_format.sh --fix

tidy: build  ## clang-tidy over the library and the programs
	@tools/setup.sh build develop
	tools/tidy.sh $(BUILD)

clean:  ## Remove every build folder; .venv and installed packages stay
	rm -rf build build-*

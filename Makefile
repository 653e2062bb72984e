# Everything runs in a virtual environment of its own, made where it is missing.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready
OLDEST := .venv-compat/ready
COLAB  := .venv-colab/ready
UV     := uv==0.13.8

# A notebook runs in its own folder, where a relative path would lead nowhere.
ifdef AECOURSE_DATA
override AECOURSE_DATA := $(abspath $(AECOURSE_DATA))
export AECOURSE_DATA
endif

# Two notebooks run side by side, one core each; a bar would end up in the stored outputs.
NBVAL   := --nbval-lax --nbval-current-env --nbval-cell-timeout=300 -n 2 --dist loadfile -p no:cacheprovider
CHECKED := AECOURSE_STRICT=1 OMP_NUM_THREADS=1 TQDM_DISABLE=1

.DEFAULT_GOAL := help
.PHONY: help book test test-embedded chapters explorables family long-runs exercises grade lab lint compat colab spread repo-url bench mutants clean

help:  ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/' | column -t -s '|'

book: $(READY)  ## build the HTML book and print where it is
	$(BIN)/jupyter-book build -W -n --keep-going .
	@echo; echo "The book: $(CURDIR)/_build/html/index.html"

test: $(READY)  ## lint, unit tests, the built book, and every notebook; CI=1 runs those again that passed as they are
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	OMP_NUM_THREADS=1 TQDM_DISABLE=1 $(BIN)/python tools/run_tests.py units -q -n 2 --dist worksteal
	$(CHECKED) $(BIN)/python tools/run_tests.py notebooks $(NBVAL)  # the unit tests run what students get, and ask more of it

# With no files, no cache and a proxy that leads nowhere, the package falls back on its embedded digits.
test-embedded: $(READY)  ## run every notebook without data and without a network
	@cache=$$(mktemp -d) && trap 'rm -rf "$$cache"' EXIT && \
	env -u AECOURSE_DATA XDG_CACHE_HOME=$$cache HTTP_PROXY=http://127.0.0.1:9 HTTPS_PROXY=http://127.0.0.1:9 \
	    http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 $(CHECKED) $(BIN)/pytest $(NBVAL) book assignments

chapters: $(READY)  ## re-execute the notebooks whose own code, or package code they reach, has changed
	$(BIN)/python tools/chapters.py

explorables: $(READY)  ## train the small networks of the in-page figures again, where their recipe has changed
	$(BIN)/python tools/train_explorables.py

family: $(READY)  ## measure the models of chapter 17's table again, where their code has changed
	$(BIN)/python benchmarks/measure_family.py

long-runs: $(READY)  ## run the experiments again that take longer than a chapter may, where their code has changed
	$(BIN)/python benchmarks/long_runs.py

exercises: $(READY)  ## make the student notebooks in book/exercises/ from the masters in assignments/
	$(BIN)/python grading/student_notebooks.py

grade: $(READY)  ## grade a folder of exercises: make grade SUBMISSIONS=folder
	$(BIN)/python grading/grade.py "$(SUBMISSIONS)" "$(SEED)"

lab: $(READY)  ## open the notebooks in JupyterLab
	$(BIN)/pip install -q jupyterlab==4.6.6
	$(BIN)/jupyter lab book

lint: $(READY)  ## check and format the code with ruff
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

compat: $(OLDEST)  ## unit tests and one chapter with the oldest versions that pyproject.toml admits
	TQDM_DISABLE=1 .venv-compat/bin/pytest -q -n 2 --dist worksteal tests
	AECOURSE_STRICT=1 TQDM_DISABLE=1 .venv-compat/bin/pytest --nbval-lax --nbval-current-env --nbval-cell-timeout=300 \
	    -p no:cacheprovider book/part1-compression/01-encoding-and-entropy.ipynb

colab: $(COLAB)  ## run every notebook as a reader in Colab does, with Colab's Python, where it can be had, and versions
	$(BIN)/python tools/colab.py .venv-colab/bin/python

spread: $(OLDEST) $(COLAB)  ## run chapters with other seeds and versions; the ranges of all claims follow; may take hours
	$(BIN)/python tools/spread.py oldest=.venv-compat/bin/python Colab=.venv-colab/bin/python

repo-url: $(READY)  ## move the project: make repo-url URL=https://github.com/owner/name
	$(BIN)/python tools/repo_url.py "$(URL)"

bench: book  ## time fit, the VAE, bits-back coding, chapters, explorables and grading, beside the limits
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/vae_time.py
	$(BIN)/python benchmarks/explorable_cost.py
	$(BIN)/python benchmarks/grading_time.py

mutants: $(READY)  ## put small faults into the package and print which share of them no unit test sees
	$(BIN)/python benchmarks/mutants.py

clean:  ## delete what was built and the virtual environments
	rm -rf _build .verified.json .venv .venv-compat .venv-colab .pytest_cache .ruff_cache .hypothesis

$(READY): requirements.txt pyproject.toml aecourse/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed to build the book, this is " + sys.version.split()[0])'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check -q $(UV)  # three times as quick, but it knows no settings of pip's
	$(BIN)/uv pip install -q --python $(BIN)/python -r requirements.txt || $(BIN)/pip install -q -r requirements.txt
	$(BIN)/pip install --disable-pip-version-check -q --no-build-isolation --no-deps -e .
	@touch $@

$(OLDEST): pyproject.toml aecourse/__init__.py
	$(PYTHON) -m venv --clear .venv-compat
	.venv-compat/bin/pip install --disable-pip-version-check -q $(UV)
	.venv-compat/bin/uv pip install -q --python .venv-compat/bin/python --resolution lowest-direct -e '.[pad,tests]'
	@touch $@

$(COLAB): tools/colab.txt $(READY)
	$(BIN)/pip install --disable-pip-version-check -q $(UV)
	$(BIN)/uv venv -q --clear --seed --python 3.13 .venv-colab || $(BIN)/uv venv -q --clear --seed .venv-colab
	$(BIN)/uv pip install -q --python .venv-colab/bin/python -r tools/colab.txt
	@touch $@

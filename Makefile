PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UNIT := -m 'not worlds' --ignore tests/integration --ignore tests/deploy

.DEFAULT_GOAL := help
.PHONY: help demo unit unit-newest test lint bench dist install run clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(READY) ## watch zombies being found and evicted behind a real WebSocket API, on this machine
	@$(BIN)/python -m deploy.chat.demo

unit: $(READY) ## run the tests that need no server, in under a minute
	@$(BIN)/pytest -n 2 --dist worksteal $(UNIT)

unit-newest: ## the same with the newest versions that setup.cfg allows
	@$(PYTHON) -m venv --clear $(VENV)/newest
	@$(VENV)/newest/bin/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@$(VENV)/newest/bin/pip list --outdated --disable-pip-version-check
	@$(VENV)/newest/bin/pytest -n 2 --dist worksteal $(UNIT)

test: $(READY) ## run all tests, twelve at a time since most of them wait; they start their servers
	@$(BIN)/pytest -n 12 --dist worksteal

lint: $(READY) ## ruff, mypy, import-linter, cfn-lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/cfn-lint deploy/*/*.yaml

bench: $(READY) ## measure speed, memory and pacing, beside what one would otherwise write; needs nginx
	@$(BIN)/python -m tests.bench $(PARTS)

dist: $(READY) ## build what is released into dist/, and try it where nothing else is installed
	@rm -rf dist build
	@$(BIN)/pip install --quiet --disable-pip-version-check build twine
	@$(BIN)/python -m build --outdir dist . >/dev/null
	@cp constraints.txt dist/constraints.txt
	@$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz
	@$(PYTHON) -m venv --clear $(VENV)/dist
	@$(VENV)/dist/bin/pip install --quiet --disable-pip-version-check \
		--constraint dist/constraints.txt "$$(echo dist/*.whl)[local]" cfn-lint
	@cd $(VENV)/dist && bin/reaper --version && bin/reaper plan --connections 1000 >/dev/null
	@rm -rf $(VENV)/dist/tree && mkdir $(VENV)/dist/tree && cp -r deploy $(VENV)/dist/tree
	@cd $(VENV)/dist/tree && ../bin/python -m deploy.chat.demo
	@ls -l dist

install: ## as root, for systemd: /opt/reaper, the unit, its logrotate file, /etc/reaper/reaper.env
	@case "$$(readlink -f "$$(command -v $(PYTHON))")" in /root/*|/home/*) \
		echo 'the unit runs without /root and /home, and this Python is there:' \
			'make install PYTHON=/usr/bin/python3' >&2; exit 1;; esac
	@$(PYTHON) -m venv $(DESTDIR)/opt/reaper
	@$(DESTDIR)/opt/reaper/bin/pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt .
	@# What pip writes names the place where it was made; it is to run from its final one.
	@test -z '$(DESTDIR)' || grep -lIr '$(DESTDIR)/opt/reaper' $(DESTDIR)/opt/reaper/bin \
		$(DESTDIR)/opt/reaper/pyvenv.cfg | xargs -r sed -i 's|$(DESTDIR)/opt/reaper|/opt/reaper|g'
	@test -e $(DESTDIR)/etc/reaper/reaper.env || \
		install -D -m 600 deploy/systemd/reaper.env.example $(DESTDIR)/etc/reaper/reaper.env
	@install -D -m 644 deploy/systemd/reaper.service $(DESTDIR)/etc/systemd/system/reaper.service
	@install -D -m 644 deploy/systemd/reaper.logrotate $(DESTDIR)/etc/logrotate.d/reaper
	@install -d -m 700 $(DESTDIR)/var/log/reaper
	@echo 'installed. Now, in this order:'
	@echo '  edit /etc/reaper/reaper.env: the table, the endpoint, the Region'
	@echo '  systemd-run --pipe --wait -p DynamicUser=yes -p User=reaper -p LogsDirectory=reaper' \
		'-p EnvironmentFile=/etc/reaper/reaper.env /opt/reaper/bin/reaper check'
	@echo '  systemctl daemon-reload && systemctl enable --now reaper && journalctl -fu reaper'

run: $(READY) ## run the daemon with the settings in the environment
	@$(BIN)/reaper run

clean: ## remove the virtual environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info build dist

$(READY): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ...' >&2; exit 1; }
	@echo 'setting up $(VENV) (once, about a minute)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[local,dev]'
	@touch $(READY)

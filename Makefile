# Everything runs in .venv, which make itself creates. Needs Python >= 3.11, make and git.
.DEFAULT_GOAL := help
.PHONY: help setup stack demo test lint bench compose-check compose-secrets clean
export PYTHON
BIN := .venv/bin

help:  ## 显示本帮助 · this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo '  PYTHON=/path/to/python3.12 names the Python for .venv; ARGS="..." goes to the command behind a target.'

setup:  ## 准备 .venv · make or update .venv from requirements.lock
	@tools/bootstrap.sh >&2

stack: setup  ## 下载内嵌 Kafka · fetch and prepare the embedded PostgreSQL and Kafka
	@$(BIN)/python -m liancheng.embedded

demo: setup  ## 演示 · the whole path, live (ONCE=1 ends by itself, JSON=1 prints JSON)
	@$(BIN)/python -m liancheng.embedded || echo 'The demo goes on without what is missing.' >&2
	@$(BIN)/liancheng demo $(if $(filter-out 0,$(ONCE)),--once) $(if $(filter-out 0,$(JSON)),--json) $(ARGS)

test: stack  ## 测试 · all tests with coverage, on real PostgreSQL and Kafka
	@$(BIN)/pytest -m 'not compose' --cov --cov-report=term $(ARGS)

lint: setup  ## 静态检查 · ruff, mypy, import rules, spelling, file length
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy --explicit-package-bases tests bench tools
	@$(BIN)/lint-imports
	@$(BIN)/codespell
	@$(BIN)/python tools/file_length.py

bench: stack  ## 基准测试 · benchmarks (ARGS="--seconds 5 --json")
	@$(BIN)/python bench/path.py $(ARGS)

compose-check: setup  ## 容器检查 · docker compose up for real, where an engine answers
	@$(BIN)/python -m tools.compose_check $(ARGS)

compose-secrets:  ## 生成密钥 · the secrets of docker-compose.yml, one file each
	@$(firstword $(PYTHON) $(wildcard $(BIN)/python) python3) tools/compose_secrets.py $(ARGS)

clean:  ## 清除 · remove .venv and caches of tools (not the fetched Kafka in ~/.cache/liancheng)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

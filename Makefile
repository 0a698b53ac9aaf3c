# Every command of the project; `make` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

RECIPE ?= model/recipe.py
FORGE ?= .forge
export RECIPE FORGE
# The scorer's files are in the forge's folder, if it is one.
# Without a token GitHub answers sixty times an hour.
PAUSE := $(if $(filter github:%,$(FORGE)),$(if $(GITHUB_TOKEN),10,60),1)
PLACE := $(if $(filter github:%,$(FORGE)),.forge,$(FORGE))

WORK := .venv/work/bin/python
CHECKS := .venv/checks/bin/python
SERVE := .venv/serve/bin/python
ENVIRONMENTS := serve work checks
# One folder per stream.
DRILL := $(if $(STREAM),build/drills/$(basename $(notdir $(STREAM))),build/drill)
BACKTEST := $(if $(STREAM),build/backtests/$(basename $(notdir $(STREAM))),build/backtest)
PACKAGES := archive audit backtest bench bundles checks contracts drill forge model monitoring online provenance reporting serve
INSTALLED := $(ENVIRONMENTS:%=.venv/%/installed)
SCHEMA := .venv/tools/bin/check-jsonschema --builtin-schema
MEASURED :=
# The tests in MARKED, by so many processes at once.
MARKED := not loop
PROCESSES := 2
PYTEST = -m pytest -q -p no:cacheprovider -m "$(MARKED)" -n $(PROCESSES) --dist worksteal

##@ Try it
demo: $(INSTALLED) ## run the whole loop on real data, on this machine, in two to four minutes
	@$(WORK) -m tests.loop

test: test-serve test-checks test-verify test-work ## every test but the whole loops, each in the environment it is about, on two cores

test-fast: ## the quick part of the tests, in under a minute, while you edit
	@$(MAKE) --no-print-directory --jobs 2 --output-sync MARKED='not slow' PROCESSES=0 test-work test-serve test-checks test-verify

test-loop: MARKED := loop
test-loop: $(INSTALLED) .venv/test/installed ## the demo, the commands of the pages, and two other recipes through the whole loop
	PYTHONPATH="$(MEASURED).venv/test" $(WORK) $(PYTEST) tests/loop tests/test_readme.py

test-newcomer: $(INSTALLED) ## play a newcomer: from three tables, made from a seed, to served answers, in one to three minutes  [SEED=7 ONLY=repairs]
	@$(WORK) -m tests.newcomer $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

# Most of them wait for servers to start, to time out or to stop.
test-serve: PROCESSES := 4
test-serve: .venv/serve/installed .venv/test/installed
	PYTHONPATH="$(MEASURED).venv/test" $(SERVE) $(PYTEST) tests/serve

test-checks: .venv/checks/installed .venv/serve/installed .venv/test/installed
	PYTHONPATH="$(MEASURED).venv/test" $(CHECKS) $(PYTEST) tests/checks

test-verify: .venv/verify/installed .venv/test/installed
	PYTHONPATH="$(MEASURED).venv/test" .venv/verify/bin/python $(PYTEST) tests/provenance

test-work: $(INSTALLED) .venv/test/installed .venv/s3/installed .venv/docs/installed
	PYTHONPATH="$(MEASURED).venv/test" $(WORK) $(PYTEST) tests/test_readme.py tests --ignore tests/serve --ignore tests/checks --ignore tests/clients --ignore tests/provenance

coverage: export COVERAGE_PROCESS_START := $(CURDIR)/pyproject.toml
coverage: export COVERAGE_FILE := $(CURDIR)/build/coverage/data
coverage: ## every test, and how many of each package's lines and branches they run
	@rm -rf build/coverage && mkdir -p build/coverage
	@$(MAKE) --no-print-directory --keep-going MEASURED="$(CURDIR)/tests/coverage:$(CURDIR)/.venv/test:" test test-loop; tested=$$?; \
	$(MAKE) --no-print-directory coverage-report; exit $$tested

coverage-report: COVERAGE := PYTHONPATH=.venv/test COVERAGE_FILE=build/coverage/data $(WORK) -m coverage
coverage-report: .venv/work/installed .venv/test/installed
	@if ls build/coverage/data.* >/dev/null 2>&1; then $(COVERAGE) combine --quiet; fi
	@printf '| package | lines and branches run by tests |\n|---|---:|\n'
	@for package in $(PACKAGES); do printf '| %s | %s %% |\n' $$package "$$($(COVERAGE) report --format=total --precision=1 --include="$$package/*")"; done

test-clients: .venv/clients/installed .venv/serve/installed .venv/test/installed ## test the scorer with tritonclient, MLflow, boto3, node, Java and curl
	PYTHONPATH=.venv/test .venv/clients/bin/python -m pytest -q -p no:cacheprovider tests/clients

test-spark: .venv/work/installed .venv/test/installed .venv/spark/installed ## test that monitoring's queries are equal on a local Spark and on DuckDB (needs Java 17)
	PYTHONPATH=.venv/test:.venv/spark $(WORK) -m pytest -q -p no:cacheprovider tests/monitoring/test_spark.py

test-estimators: .venv/work/installed .venv/test/installed .venv/estimators/installed ## test that LightGBM, XGBoost and CatBoost give the same scores in ONNX (300 MB)
	PYTHONPATH=.venv/test:.venv/estimators $(WORK) -m pytest -q -p no:cacheprovider tests/model/test_tree_libraries.py tests/model/test_estimator_table.py

##@ The loop, a step at a time (RECIPE=FILE, FORGE=FOLDER or github:OWNER/NAME)
retrain: .venv/work/installed ## train, store the candidate, open or refresh its proposal  [TODAY=2013-04-01 JOURNAL=DIR]
	@$(WORK) -m model retrain $(if $(TODAY),--today $(TODAY)) $(if $(JOURNAL),--journal "$(JOURNAL)")

gate: .venv/checks/installed .venv/serve/installed ## run the gate on the proposed candidate: verdict.json, report.md, report.html, deepchecks.html in build/gate
	@$(CHECKS) -m checks gate --out build/gate

land: .venv/work/installed ## merge and publish the proposal if the verdict allows
	@$(WORK) -m forge land --verdict build/gate/verdict.json

serve: .venv/serve/installed ## follow the forge and answer on http://127.0.0.1:8000  [PORT=8000] [EVERY=seconds]
	@$(SERVE) -m forge sync --store "$(PLACE)/store" --every $(or $(EVERY),$(PAUSE)) & syncing=$$!; trap "kill $$syncing" EXIT; \
	$(SERVE) -m serve --store "$(PLACE)/store" --journal "$(PLACE)/journal" --port $(or $(PORT),8000)

watch: .venv/work/installed ## answer commands below incidents, then monitor the journal: incidents open, are updated, resolve  [TODAY=a past day's morning]
	@$(WORK) -m monitoring answer
	@$(WORK) -m monitoring watch --journal "$(or $(JOURNAL),$(PLACE)/journal)" --kept "$(PLACE)/kept" --out "$(PLACE)/watch" $(if $(TODAY),--today $(TODAY))

experiment: .venv/work/installed ## compare champion and challenger: one issue, and a proposal when one wins
	@$(WORK) -m monitoring experiment --journal "$(or $(JOURNAL),$(PLACE)/journal)" --kept "$(PLACE)/kept"

site: .venv/work/installed ## the dashboard: one page, build/site/index.html
	@$(WORK) -m monitoring site --kept "$(PLACE)/kept"

score: .venv/work/installed ## the ML Test Score: which of its 28 tests run here, by hand or by machine, and what to type for the others
	@$(WORK) -m checks score

drill-rollback: .venv/work/installed .venv/serve/installed ## roll back and forward again in a copy of the forge, with a real scorer: how long does it take?
	@$(WORK) -m forge drill-rollback

rollback: .venv/work/installed ## roll back: the earlier model serves again  [BAD=version] [TO=version] [REASON="why"]
	@$(WORK) -m forge rollback $(if $(BAD),--bad $(BAD)) $(if $(TO),--to $(TO)) --reason "$(or $(REASON),asked for by hand)"

status: .venv/work/installed ## what is live, proposed, released, and which incidents are open
	@$(WORK) -m forge status

drill: $(INSTALLED) ## inject faults into your data, recipe and bundle: which does the gate catch?  [STREAM=FILE] [SEED=n] [TODAY=2013-08-15] [FAULTS=n] [VARIANTS=n] [CLEAN=n] [SENT=1] [PEERS=all]
	@$(WORK) -m drill make --out $(DRILL) $(if $(STREAM),--recipe $(STREAM)) $(if $(SEED),--seed $(SEED)) $(if $(TODAY),--today $(TODAY)) $(if $(FAULTS),--faults $(FAULTS)) $(if $(VARIANTS),--variants $(VARIANTS)) $(if $(CLEAN),--clean $(CLEAN)) $(if $(SENT),--sent)
	@$(CHECKS) -m drill judge --out $(DRILL)
	$(if $(PEERS),@$(WORK) -m drill peers --out $(DRILL))

drill-nights: $(INSTALLED) ## how often does each rule reject or hold without a fault? nights over a year, into BENCHMARKS.md  [TODAY=2013-08-15] [NIGHTS=52]
	@$(WORK) -m drill.nights make $(if $(TODAY),--today $(TODAY)) --nights $(or $(NIGHTS),52)
	@$(CHECKS) -m drill.nights judge
	@$(WORK) -m drill.nights report

backtest: $(INSTALLED) ## replay past nights: what would each policy of landing have earned?  [FROM=2013-04-01] [TO=2013-11-01] [EVERY=7d] [POLICIES=never,proven,bold:max_risk=0.2] [STREAM=FILE] [LENGTHS=6] [FULL=1] [LEDGER=DIR]
	@$(WORK) -m backtest fit --out $(BACKTEST) $(if $(STREAM),--recipe $(STREAM)) $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO)) $(if $(EVERY),--every $(EVERY)) $(if $(LENGTHS),--lengths $(LENGTHS))
	@$(if $(FULL),$(CHECKS),$(WORK)) -m backtest judge --out $(BACKTEST) $(if $(POLICIES),--policies "$(POLICIES)") $(if $(FULL),--full) $(if $(LEDGER),--ledger "$(LEDGER)")

##@ Develop
setup: $(INSTALLED) .venv/verify/installed .venv/test/installed .venv/s3/installed .venv/docs/installed ## install everything now

extra: .venv/extra/installed ## install what a few tests use if present: an API fuzzer, linters of containers (Chromium and nginx: apt-get)

lint: lint-code lint-types lint-schemas ## check formatting, style, types, and the files that GitHub reads

lint-code: .venv/tools/installed
	.venv/tools/bin/ruff format --check .
	.venv/tools/bin/ruff check .

lint-types: .venv/tools/installed .venv/work/installed .venv/serve/installed .venv/verify/installed
	.venv/tools/bin/mypy --python-executable $(WORK) --exclude '^(drill/peers/|docs/generate/serve_)' contracts reporting forge model monitoring checks drill archive audit backtest docs
	.venv/tools/bin/mypy --python-executable $(SERVE) --exclude '^bench/(peers/servers/|watch/(adwin|evidently_check)\.py|verification_bench)' bundles serve online bench docs/generate/serve_environment.py
	.venv/tools/bin/mypy --python-executable .venv/verify/bin/python provenance bench/verification_bench.py

lint-schemas: .venv/tools/installed
	.venv/tools/bin/zizmor --offline --persona pedantic --quiet .github
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) vendor.github-actions .github/actions/*/action.yml
	$(SCHEMA) vendor.dependabot .github/dependabot.yml
	$(SCHEMA) vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(SCHEMA) vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(SCHEMA) vendor.citation-file-format CITATION.cff

docs: .venv/docs/installed ## the site of docs/, in build/docs; a broken link fails
	@NO_MKDOCS_2_WARNING=1 .venv/docs/bin/mkdocs build --strict --quiet
	@echo "build/docs/index.html"

reference: .venv/work/installed .venv/serve/installed ## the tables of docs/reference, from the code
	@$(WORK) -m docs.generate work
	@$(SERVE) -m docs.generate serve

estimators: .venv/work/installed .venv/estimators/installed ## docs/reference/estimators.md: every line is tried again
	@PYTHONPATH=.venv/estimators $(WORK) -m docs.generate.estimator_table

sbom: .venv/sbom/installed ## the scorer's packages with their hashes, as CycloneDX: build/serve.cdx.json
	@mkdir -p build
	@.venv/sbom/bin/cyclonedx-py requirements --output-reproducible --output-format JSON --output-file build/serve.cdx.json requirements/serve.txt
	@echo build/serve.cdx.json

pictures: .venv/work/installed ## screenshots for the documentation, of the last `make demo` (needs Chromium)
	@$(WORK) -m docs.generate.screenshots

bench: .venv/serve/installed .venv/work/installed .venv/tools/installed ## compare the scorer with its peers: BENCHMARKS.md  [PEERS=all|none|a,b SECONDS=2]
	@$(SERVE) -m bench --peers $(or $(PEERS),all) --seconds $(or $(SECONDS),2)

bench-experiment: .venv/work/installed ## simulate experiments: error rates and durations, into BENCHMARKS.md  [RUNS=400]
	@$(WORK) -m bench.experiment_errors --runs $(or $(RUNS),400)

bench-delay: .venv/work/installed ## train while outcomes are still coming in, into BENCHMARKS.md  [STREAMS=FOLDER EVERY=nights]
	@OMP_NUM_THREADS=1 $(WORK) -m bench.delay.delay_bench --every $(or $(EVERY),1)

bench-online: .venv/work/installed ## hourly corrections: what they gain, what they cost where nothing changes, after a jump, and with poisoned outcomes, into BENCHMARKS.md  [STREAMS=FOLDER EVERY=days]
	@OMP_NUM_THREADS=1 $(WORK) -m bench.online --every $(or $(EVERY),3)

bench-verify: .venv/verify/installed ## measure what verifying a bundle's signature costs, into BENCHMARKS.md
	@.venv/verify/bin/python -m bench.verification_bench

bench-gate: .venv/work/installed ## simulate the gate's comparison: acceptance, cumulative loss, coverage of intervals, into BENCHMARKS.md  [REPEATS=200]
	@OMP_NUM_THREADS=1 $(WORK) -m bench.gate.gate_simulation --repeats $(or $(REPEATS),200)
	@OMP_NUM_THREADS=1 $(WORK) -m bench.gate.decision_simulation

bench-policy: export STREAMS ?= ../shared/data
bench-policy: BENCHED := LENGTHS=0 POLICIES=never,always,proven,expected
bench-policy: .venv/work/installed ## backtest never, always, proven and expected on flights, and two streams where their data is at hand: BENCHMARKS.md  [STREAMS=FOLDER]
	@$(MAKE) --no-print-directory backtest FROM=2013-04-01 TO=2013-09-30 $(BENCHED)
	@if [ -f "$(STREAMS)/hotel_cancellation.parquet" ]; then $(MAKE) --no-print-directory backtest STREAM=drill/streams/hotel.py FROM=2016-01-04 TO=2017-02-13 EVERY=28d $(BENCHED); fi
	@if [ -f "$(STREAMS)/bike_demand.parquet" ]; then $(MAKE) --no-print-directory backtest STREAM=drill/streams/bike.py FROM=2011-08-01 TO=2012-12-17 EVERY=28d $(BENCHED); fi
	@$(WORK) -m backtest bench build/backtest build/backtests/hotel build/backtests/bike

bench-watch: .venv/work/installed .venv/tools/installed ## compare monitoring with NannyML, Evidently and river  [SEEDS=12 POOLS=flights,generated DATA=FOLDER]
	@$(WORK) -W ignore -m bench.watch --seeds $(or $(SEEDS),12) $(if $(POOLS),--pools $(POOLS)) $(if $(DATA),--data "$(DATA)")

bench-scale: HISTORY ?= 10,35,100
bench-scale: DAYS ?= 7,14,28
bench-scale: .venv/work/installed ## measure monitoring and an experiment with a million rows a day: BENCHMARKS.md  [HISTORY=10,35,100 DAYS=7,14,28]
	@$(WORK) -m bench.scale --history $(HISTORY) --experiment $(DAYS)

soak: .venv/serve/installed .venv/work/installed ## full load with swaps and kills: no acknowledged row may be lost  [MINUTES=5]
	@$(SERVE) -m bench soak --minutes $(or $(MINUTES),5)

recipe: .venv/tools/installed ## lock and install what requirements/recipe.in names: packages that the recipe imports
	requirements/lock.sh recipe
	@requirements/install.sh recipe

lock: .venv/tools/installed ## resolve the requirements to the newest versions
	requirements/lock.sh

upgrade: .venv/work/installed ## merge a newer version of Tidegate into a branch  [TO=v0.3.0] [TEMPLATE=URL] [BASE=v0.2.0]
	@$(WORK) -m forge upgrade $(if $(TO),--to $(TO)) $(if $(TEMPLATE),--template "$(TEMPLATE)") $(if $(BASE),--base $(BASE))

clean: ## remove environments, builds and the demo's folder (never .forge)
	rm -rf .venv build .demo

help:
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

.venv/work/installed: requirements/recipe.txt

.venv/%/installed: requirements/%.txt requirements/install.sh
	@requirements/install.sh $*

.PHONY: demo extra test test-fast test-newcomer coverage coverage-report test-spark test-estimators test-clients test-serve test-checks test-verify test-work retrain gate land serve watch experiment site score drill-rollback rollback status drill drill-nights backtest setup lint lint-code lint-types lint-schemas docs reference estimators sbom pictures bench bench-experiment bench-gate bench-policy bench-watch bench-scale bench-verify soak recipe lock upgrade clean help

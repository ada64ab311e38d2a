# Every target works alone on a fresh clone; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help build test race chaos soak mutants bench report lint images clean

comma := ,
CHAOS := bin/chaos

# For what hangs only. Where no image is there yet, the tests of the Docker driver wait until all are built.
HANGS := -timeout 30m

# The one test that starts stacks runs every scenario.
NO_STACKS := -skip '^TestScenarios$$'

# A seed repeats a plan: make chaos SEED=7
ifdef SEED
export CHAOS_SEED := $(SEED)
endif

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build the chaos command into bin/
	@go build -o $(CHAOS) ./harness/cmd/chaos

test: ## Run every test but the scenarios; those of the Docker driver need Docker
	@go vet ./...
	go test $(HANGS) $(NO_STACKS) ./...

race: ## The same tests under the race detector (needs a C compiler)
	go test -race $(HANGS) $(NO_STACKS) ./...

chaos: build ## Run the scenarios and write the HTML report [S=name,name] [SEED=n] [RACE=1]
	@$(CHAOS) run $(if $(RACE),--race) $(subst $(comma), ,$(S))

soak: build ## 300 SIGTERMs under load, then 10 minutes of unique keys: some 35 minutes [SEED=n]
	@$(CHAOS) run soak-sigterm soak-unique-keys

mutants: build ## See that each seeded defect is caught by its check [M=name,name] [SEED=n]
	@$(CHAOS) mutants $(subst $(comma), ,$(M))

bench: ## Run the benchmarks; those of the stores need redis-server and PostgreSQL [B=pattern]
	go test -run '^$$' -bench '$(or $(B),.)' ./...

report: build ## Write the newest run's reports again
	@$(CHAOS) report reports/out/latest

lint: ## Formatting and vet
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'not gofmt-clean: run gofmt -w on these files' >&2; exit 1; }
	go vet ./...

images: build ## Build or fetch the images that the stack needs
	@$(CHAOS) images

clean: build ## Remove the images, leftovers of killed runs, bin/ and the reports
	@$(CHAOS) clean
	rm -rf bin reports/out

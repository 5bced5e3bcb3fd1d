# deployhooks: `make help` lists what can be done. `make demo` and `make region`
# need Go; most else also needs Node, and `make e2e` Python 3.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The machine that the functions are built for, in Lambda's words.
ARCH      ?= arm64
HOST_ARCH  = $(patsubst amd64,x86_64,$(shell go env GOHOSTARCH))
CDK       := npx --yes aws-cdk@2.1148.1
# An ARCH that is given is the one that is deployed, whatever cdk.json says.
# So is an ENVIRONMENT; an empty one, such as an unset shell variable, is refused.
CONTEXT    = $(if $(filter file,$(origin ARCH)),,-c deployhooks:architecture=$(ARCH)) \
             $(if $(filter undefined,$(origin ENVIRONMENT)),,-c "deployhooks:environment=$(ENVIRONMENT)")

# jsii's warnings about the Node version, on every start. README.md says which to use.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 18,20,22,24
export JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION := 1
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1

# $(call need,program,why and where from) ends with one sentence when a program
# is missing.
need = @command -v $(1) >/dev/null || { echo "$(1) is not installed: $(2)" >&2; exit 1; }
# $(call nothing,command) fails with what the command says, if it says anything.
nothing = said="$$($(1))"; test -z "$$said" || { echo "$$said" >&2; exit 1; }
first-run = @echo "$(1) (the first run compiles the AWS SDK$(2), which takes some minutes)"

##@ Try it

.PHONY: demo
demo: need-go ## Play releases with and without the hooks, and launch two tenants; writes build/demo/report.html
	$(call first-run,Building the functions and the demo)
	@$(MAKE) --no-print-directory functions ARCH=$(HOST_ARCH)
	@go run ./test/demo $(ARGS)

.PHONY: region
region: need-go ## Serve the simulated AWS region on a port; ARGS=--hooks runs the hooks in it
	$(call first-run,Building the region)
	$(if $(findstring -hooks,$(ARGS)),@$(MAKE) --no-print-directory functions ARCH=$(HOST_ARCH))
	@go build -o build/region ./test/region/serve
	@set -m; build/region $(ARGS); : # a job of its own, so that ^C ends it and not make, with status 0

##@ Deploy it

.PHONY: build
build: need-go need-arch ## Build the functions for Lambda (ARCH=arm64 or x86_64)
	$(call first-run,Building the functions for $(ARCH))
	@$(MAKE) --no-print-directory functions

.PHONY: synth
synth: need-go need-node need-arch ## Synthesise the CloudFormation templates into cdk.out
	$(call first-run,Building the functions and the CDK program)
	$(CDK) synth --quiet $(CONTEXT) $(ARGS)

.PHONY: deploy
deploy: need-go need-node need-arch ## Build, and deploy the stacks with your AWS credentials
	$(call first-run,Building the functions and the CDK program)
	$(CDK) deploy --all $(CONTEXT) $(ARGS)

.PHONY: diff
diff: need-go need-node need-arch ## Show what a deployment would change
	$(call first-run,Building the functions and the CDK program)
	$(CDK) diff $(CONTEXT) $(ARGS)

.PHONY: smoke
smoke: synth ## Check the deployed stacks, read-only: functions, alarms, queues, roles
	@go run ./infra/smoke cdk.out

.PHONY: fill
fill: need-go ## Replace an environment's data by the newest backup of the one its file names (ENVIRONMENT=training)
	@test -n "$(ENVIRONMENT)" || { echo "ENVIRONMENT is missing: give ENVIRONMENT=training, for example" >&2; exit 1; }
	@go build -o build/fill ./infra/fill
	@build/fill "$(ENVIRONMENT)"

.PHONY: record
record: need-go ## Record a real release in your account, redacted (ARGS="--application shop --deployment-group web")
	$(call first-run,Building the recorder)
	@go build -o build/record ./infra/record
	@set -m; build/record $(ARGS); : # a job of its own, so that ^C ends it and not make

.PHONY: publish
publish: need-go need-node need-arch ## Upload code and template for StackSets (BUCKET=<prefix of the buckets> REGIONS="eu-west-1 us-east-1")
	@test -n "$(BUCKET)" || { echo "BUCKET is missing: with BUCKET=acme-deployhooks, the buckets acme-deployhooks-<region> are used" >&2; exit 1; }
	$(call first-run,Building the functions and the CDK program)
	@rm -rf build/stackset
	$(CDK) synth --quiet --no-path-metadata --output build/stackset -c "deployhooks:assetBucket=$(BUCKET)" $(CONTEXT) $(ARGS)
	@go run ./infra/publish --regions "$(REGIONS)" build/stackset

.PHONY: destroy
destroy: need-go need-node need-arch synth ## List what is retained, ask, and delete the stacks
	@go run ./infra/retained cdk.out
	$(CDK) destroy --all --app cdk.out $(ARGS)

##@ Work on it

.PHONY: test
test: need-go need-node ## Run all tests
	$(call first-run,Running the tests, and the CDK)
	@# GOGC takes a quarter off the CPU time, for some more memory; make check vets.
	@GOGC=400 CDK_VALIDATION=false go test -vet=off ./...

.PHONY: check
check: need-go need-node ## Everything a change must pass: format, vet, staticcheck, race, synthesis, clean tree
	@echo "format";      $(call nothing,gofmt -l $$(git ls-files '*.go'))
	@echo "vet";         go vet ./...
	@echo "staticcheck"; go tool staticcheck ./...
	@echo "go.mod";      go mod tidy -diff
	@echo "tests, with the race detector (this takes some minutes)"; CDK_VALIDATION=false go test -race -timeout 30m ./...
	@echo "synthesis";   $(MAKE) --no-print-directory synth
	@echo "clean tree";  $(call nothing,git status --porcelain)

.PHONY: soak
soak: need-go ## Play random schedules from new seeds, for some minutes (ARGS=-rapid.checks=1000)
	$(call first-run,Building the scenarios)
	@go test -count=1 -timeout 2h -run '^TestRandom' ./test/repair ./test/drain ./test/deploymentgroup ./test/environment ./test/tenant ./pkg/tenant/intake -args -rapid.seed=0 $(or $(ARGS),-rapid.checks=500)

.PHONY: bench
bench: need-go need-node ## Measure the budgets; writes build/bench/report.json
	$(call first-run,Building what is measured)
	@$(MAKE) --no-print-directory functions ARCH=arm64
	@$(MAKE) --no-print-directory functions ARCH=$(HOST_ARCH)
	@cd test/bench && go test -count=1 -report $(CURDIR)/build/bench/report.json

.PHONY: e2e
e2e: need-go need-node need-python3 ## Deploy to a local cloud with the real CDK and drive it by topic, bus, queue and schedule
	$(call first-run,Building the functions and what drives them, and the CDK)
	@$(MAKE) --no-print-directory functions ARCH=$(HOST_ARCH)
	@go run ./test/e2e

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf build cdk.out

##@ Help

.PHONY: help
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo 'Options of demo, region, synth, deploy, diff, destroy, publish and record go in ARGS: make region ARGS="--port 4777", make demo ARGS=--help.'
	@echo 'synth, deploy, diff, destroy, smoke and fill take ENVIRONMENT=training, or another file in infra/environment,'
	@echo 'or a path that ends in .yaml (README.md, "Environments").'
	@echo 'What is deployed is set by context keys, deployhooks:…, in cdk.json or with ARGS="-c deployhooks:repairMode=plan":'
	@echo 'README.md, "Configuration", has the table. Tenants are launched with a blueprint only:'
	@echo '  make deploy ARGS="-c deployhooks:blueprint=DIR"      (README.md, "Tenants")'

.PHONY: need-arch need-go need-node need-python3
need-arch:
	@case "$(ARCH)" in arm64 | x86_64) ;; *) echo "ARCH=$(ARCH) is not an architecture of Lambda: give arm64 or x86_64" >&2; exit 1 ;; esac
need-go:
	$(call need,go,install Go 1.26 or later from https://go.dev/dl)
need-node:
	$(call need,node,the CDK runs on Node 22 or later from https://nodejs.org)
	$(call need,npx,it comes with npm, which comes with Node from https://nodejs.org)
need-python3:
	$(call need,python3,the local cloud runs on Python 3 from https://www.python.org)

# infra/build has the compiler's flags; the infra program builds by them as well.
.PHONY: functions
functions: need-go need-arch
	@go run ./infra/buildfunctions $(ARCH)

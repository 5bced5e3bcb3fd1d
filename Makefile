# deployhooks: `make help` lists what can be done. `make demo` and `make test`
# need only Go and Node; `make e2e` also needs Python 3.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

FUNCTIONS := $(notdir $(wildcard functions/*))
# The machine that the functions are built for, in Lambda's words.
ARCH      ?= arm64
HOST_ARCH := $(patsubst amd64,x86_64,$(shell go env GOHOSTARCH))
CDK       := npx --yes aws-cdk@2.1148.1

# Node says that its version is old; jsii says nothing of use about it.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 18,20,22,24
export JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION := 1
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1

##@ Try it

.PHONY: demo
demo: ## Play a release with and without the hooks; writes build/demo/report.html
	@$(MAKE) --no-print-directory functions ARCH=$(HOST_ARCH)
	@go run ./test/demo

.PHONY: region
region: ## Serve the simulated AWS region on a port, for the AWS CLI and the SDKs
	@go run ./test/region/serve $(ARGS)

##@ Deploy it

.PHONY: build
build: functions ## Build the functions for Lambda (ARCH=arm64 or x86_64)

.PHONY: synth
synth: functions ## Synthesise the CloudFormation templates into cdk.out
	$(CDK) synth --quiet

.PHONY: deploy
deploy: functions ## Deploy the stacks to the AWS account of your credentials
	$(CDK) deploy --all

##@ Work on it

.PHONY: test
test: ## Run all tests
	@echo "Running the tests (the first run compiles the AWS SDK and the CDK, which takes some minutes)"
	@CDK_VALIDATION=false go test ./...

.PHONY: check
check: ## Everything a change must pass: format, vet, staticcheck, race, synthesis, clean tree
	@echo "format";      test -z "$$(gofmt -l $$(git ls-files '*.go') | tee /dev/stderr)"
	@echo "vet";         go vet ./...
	@echo "staticcheck"; go tool staticcheck ./...
	@echo "go.mod";      go mod tidy -diff
	@echo "tests, with the race detector"; CDK_VALIDATION=false go test -race ./...
	@echo "synthesis";   $(MAKE) --no-print-directory synth
	@echo "clean tree";  test -z "$$(git status --porcelain | tee /dev/stderr)"

.PHONY: bench
bench: ## Measure the budgets; writes build/bench/report.json
	@$(MAKE) --no-print-directory functions ARCH=arm64
	@$(MAKE) --no-print-directory functions ARCH=$(HOST_ARCH)
	@cd test/bench && go test -count=1 -report $(CURDIR)/build/bench/report.json

.PHONY: e2e
e2e: ## Deploy to a local cloud with the real CDK and drive it through its front door
	@$(MAKE) --no-print-directory functions ARCH=$(HOST_ARCH)
	@go run ./test/e2e

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf build cdk.out

##@ Help

.PHONY: help
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The same source gives the same bytes, so that a deployment without a change
# changes nothing.
.PHONY: functions
functions:
	@for f in $(FUNCTIONS); do \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$(patsubst x86_64,amd64,$(ARCH)) go build -tags lambda.norpc -trimpath -buildvcs=false -ldflags '-s -w' \
	    -o build/$(ARCH)/$$f/bootstrap ./functions/$$f; \
	  echo "built build/$(ARCH)/$$f/bootstrap"; \
	done

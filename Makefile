# make help lists the targets.

BIN     := bin/perennial
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
LINT    := go tool -modfile=tools.mod golangci-lint

# Much of what tests do is wait, so that with the race detector more packages than there are processors run at a time.
ABREAST := -p 4
RACED   := ^(TestTwoDaemons|TestCommandBesideTheDaemon|TestDaemon|TestConnectionsDie|TestThreeNights|TestThreeNightsOfShopify|TestStopDuringASync|TestStopDuringAPush|TestUnsubscribedAtOnePlatformIsOutOfAllInTheSameNight)$$

.DEFAULT_GOAL := help
.PHONY: help build demo test race check format vet lint bench screenshots clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/perennial
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/perennial

demo: build ## Try it: invented shops on WooCommerce and Shopify and the daemon against them (DEMO_EXIT=1 stops after the report)
	@CGO_ENABLED=0 go build -trimpath -o bin/shopsim ./cmd/shopsim
	@deploy/demo.sh

# Tests run on the PostgreSQL whose folder PERENNIAL_TEST_POSTGRES names; by default on this machine's, installed where it is
# missing.
test: build ## Run every test
	@dir="$${PERENNIAL_TEST_POSTGRES:-$$($(BIN) postgres ensure --dir)}" && PERENNIAL_TEST_POSTGRES="$$dir" go test -timeout 20m ./...

# Faults are tried without the race detector, all of them; with it, the daemon itself is built with it and lives through some.
race: build ## Run the tests with the race detector, the long ones shortened
	@dir="$${PERENNIAL_TEST_POSTGRES:-$$($(BIN) postgres ensure --dir)}" && export PERENNIAL_TEST_POSTGRES="$$dir" && \
	go test -race -short $(ABREAST) -timeout 20m $$(go list ./... | grep -v -e /faulttest -e /bench -e /browsertest) && \
	go test -race -short -timeout 20m -run '$(RACED)' ./cmd/perennial/faulttest

check: format vet lint test ## What has to pass before a change lands

format: ## Report files that are not formatted
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "not formatted:"; echo "$$out"; exit 1; }

vet: ## Run go vet
	go vet ./...

lint: ## Run the linters
	$(LINT) run ./...

bench: build ## Print the figures of docs/performance.md, measured here
	@$(BIN) postgres ensure --quiet
	go test -run '^$$' -bench . -benchtime 1x -timeout 60m ./cmd/perennial/bench

# The pictures of docs/ are of the demo, in a real browser.
screenshots: build ## Take the pictures in docs/screenshots anew
	@dir="$$(mktemp -d)" && export PERENNIAL_TEST_POSTGRES="$$($(BIN) postgres ensure --dir)" && \
	PERENNIAL_SCREENSHOTS="$$dir" go test -count=1 -run TestPages ./cmd/perennial/browsertest && \
	mkdir -p docs/screenshots && for name in today-light segments-light movement-light retention-dark value-dark customer-light audiences-light; do \
		cp "$$dir/$$name-top.png" "docs/screenshots/$${name%-*}.png"; done; rm -rf "$$dir"

clean: ## Remove what was built
	rm -rf bin

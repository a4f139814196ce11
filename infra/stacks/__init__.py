"""The two stacks: they compose and grant; what they are made of is in `infra.constructs`."""

"""The two stacks of Nestor on AWS: environments in, templates out, no AWS call at synthesis."""

"""`python -m s3vectors_local.cli`."""

from s3vectors_local.cli import main

main()

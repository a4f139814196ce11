"""Code that runs in Lambda for the stacks themselves, not for Nestor."""

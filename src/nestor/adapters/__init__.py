"""The ports of Nestor, each spoken by one outside thing."""

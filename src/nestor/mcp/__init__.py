"""Nestor for agents: a server of the Model Context Protocol with four tools, none of which changes anything."""

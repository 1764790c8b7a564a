"""The command line: one way to start a step, whoever calls it."""

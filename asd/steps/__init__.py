"""The verbs: each module is one step, with a `run` that takes its config."""

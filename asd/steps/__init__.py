"""The steps, a module each with a `run` that takes its config, and what several of them share."""

"""From scores to verdicts: thresholds, p-values, and what they promise."""

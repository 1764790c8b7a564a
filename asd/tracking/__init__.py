"""MLflow: the store, runs, models and the registry. No other package knows MLflow."""

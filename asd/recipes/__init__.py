"""Recipes by name: ``<name>.yaml`` here is what ``model=<name>`` fits."""

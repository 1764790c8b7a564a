"""Sounds made from nothing: building blocks, and the foreign sounds made of them."""

"""Recordings, clips, manifests, and what is done to them."""

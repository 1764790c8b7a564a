"""The sweep: what may be tried, how trials are compared, and which one wins."""

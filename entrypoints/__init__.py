"""One thin file per MLproject entry point."""

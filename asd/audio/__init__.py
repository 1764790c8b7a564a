"""Sound: containers, decoding, encoding, and what may be done to samples."""

"""A package, so that the one server of these tests ends with the last of them."""

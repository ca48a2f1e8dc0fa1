"""Tools for developers; the package does not need them."""

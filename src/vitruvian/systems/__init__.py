"""One page per published system."""

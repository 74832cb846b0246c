"""Training. Needs torch."""

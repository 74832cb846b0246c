"""Reading, warping, colouring and augmenting pictures."""

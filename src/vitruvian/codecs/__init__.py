"""Representations: encode targets, decode network outputs. NumPy only."""

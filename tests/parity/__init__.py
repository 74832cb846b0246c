"""Our networks and codecs against what the authors' implementations compute.

``python -m tests.parity FILE…`` prints one row per fixture; pytest runs the same checks.
"""

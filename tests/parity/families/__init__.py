"""One file per family of fixtures: ``NETS`` and ``CHECKS`` are found by the runner.

``NETS`` maps the start of a fixture's ``meta["name"]`` to a :class:`~tests.parity.kinds.Family`;
``CHECKS`` maps the start of a file's name to a :data:`~tests.parity.kinds.Check`. Both are regular
expressions.
"""

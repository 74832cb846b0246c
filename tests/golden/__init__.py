"""What every network and system is, as numbers; a change of them is reviewed as a diff.

``python -m tests.golden`` writes the files anew, ``python -m tests.golden NAME…`` some entries.
"""

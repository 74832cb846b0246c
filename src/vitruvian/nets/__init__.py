"""Networks, one file per family. Needs torch."""

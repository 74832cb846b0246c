"""Drawing and file formats."""

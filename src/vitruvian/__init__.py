"""2D multi-person human pose estimation."""

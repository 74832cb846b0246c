"""Rooms everyone stands on: errors, types, skeleton, view, sample, poses, fields, protocols."""

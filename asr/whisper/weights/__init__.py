"""Formats of weights, one file each; `format` has what they share."""

"""Scores of a segmentation: arrays in, arrays out, never TensorFlow."""

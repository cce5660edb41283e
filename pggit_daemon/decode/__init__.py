"""Frames of the output plugin into typed transactions."""

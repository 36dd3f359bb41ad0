"""Formats of pages in Spanish."""

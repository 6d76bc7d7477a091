"""Sides that were soaked alike, set against each other: differences with intervals, claims held against them. Pure."""

"""Deliver events to people and services."""

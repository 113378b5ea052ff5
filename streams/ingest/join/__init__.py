"""Feedback meets its prediction, and answers meet their shadows."""

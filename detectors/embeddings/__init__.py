"""Drift of embeddings from sums and histograms, keyed by the encoder that made them."""

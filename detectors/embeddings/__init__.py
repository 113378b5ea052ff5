"""Drift of embeddings from sums and histograms, keyed by the encoder that made them."""

from detectors.embeddings.columns import EmbeddingColumn, columns_of, with_embeddings
from detectors.embeddings.projections import EmbeddingCounts, EmbeddingReference
from detectors.embeddings.rff_mmd import RffReference
from detectors.embeddings.vectors import Vectors, collect

__all__ = [
    "EmbeddingColumn",
    "EmbeddingCounts",
    "EmbeddingReference",
    "RffReference",
    "Vectors",
    "collect",
    "columns_of",
    "with_embeddings",
]

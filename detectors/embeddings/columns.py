"""What a pane keeps of embeddings, and what a reference learns of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.embeddings.projections import EmbeddingReference
from detectors.embeddings.vectors import MAX_DIMENSION, collect
from detectors.summary import Builder, Field, Ints, Layout
from schemas.reference import (
    NORM_BINS,
    PROJECTION_BINS,
    PROJECTIONS,
    EmbeddingProfile,
    ReferenceProfile,
)

Embeddings = Mapping[str, Sequence[float]]
"""Vectors of one prediction by name."""


def field_of(name: str, part: str) -> str:
    """Name of a field of an embedding; no feature's begins so."""
    return f"<embedding>:{name}:{part}"


@dataclass(frozen=True)
class EmbeddingColumn:
    """The embeddings of one name, which is also the identity of their encoder."""

    name: str
    reference: EmbeddingReference

    def fields(self) -> tuple[Field, ...]:
        """Usable vectors, wrong ones, and histograms of projections and of the length."""
        sizes = {"n": 1, "wrong": 1, "p": PROJECTIONS * PROJECTION_BINS, "norm": NORM_BINS}
        return tuple(Field(field_of(self.name, part), size) for part, size in sizes.items())

    def add(self, build: Builder, vectors: Sequence[Sequence[float] | None]) -> None:
        """Add a column (n,); a vector of another dimension, or not finite, counts as wrong."""
        found = collect(vectors, dimension=self.reference.dimension)
        given = np.flatnonzero([vector is not None for vector in vectors])
        build.ones(field_of(self.name, "n"), found.rows)
        build.ones(field_of(self.name, "wrong"), np.setdiff1d(given, found.rows))
        if found.rows.size == 0:
            return
        places = self.reference.places(found.matrix, encoder=self.name)
        offsets = places[:, :-1] + PROJECTION_BINS * np.arange(PROJECTIONS)
        build.ones(field_of(self.name, "p"), np.repeat(found.rows, PROJECTIONS), offsets.ravel())
        build.ones(field_of(self.name, "norm"), found.rows, places[:, -1])


def columns_of(reference: ReferenceProfile | None) -> tuple[EmbeddingColumn, ...]:
    """The embeddings that a reference knows, in order of name.

    Examples
    --------
    >>> columns_of(None)
    ()
    """
    known = {} if reference is None else reference.embeddings
    return tuple(EmbeddingColumn(name, _reference(name, known[name])) for name in sorted(known))


def _reference(name: str, known: EmbeddingProfile) -> EmbeddingReference:
    return EmbeddingReference(
        encoder=name,
        dimension=known.dimension,
        mean=as_floats(known.mean),
        sd=as_floats(known.sd),
        counts=np.array(known.projections, np.int64),
        norm_counts=np.array(known.norms, np.int64),
    )


def histograms_of(layout: Layout, vector: Ints, name: str) -> list[FloatArray]:
    """The 17 histograms of an embedding in a pane: those of the projections, then of the length.

    Wrong vectors are a last bin of the length: an encoder with another dimension fills it alone.
    """
    projections = layout.counts(vector, field_of(name, "p")).reshape(PROJECTIONS, PROJECTION_BINS)
    norms = [
        *layout.counts(vector, field_of(name, "norm")),
        layout.count(vector, field_of(name, "wrong")),
    ]
    return [*as_floats(projections), as_floats(norms)]


def reference_histograms(known: EmbeddingProfile) -> list[FloatArray]:
    """The same in the reference, which has no wrong vectors."""
    return [*as_floats(known.projections), as_floats([*known.norms, 0])]


def with_embeddings(profile: ReferenceProfile, rows: Sequence[Embeddings]) -> ReferenceProfile:
    """The reference with the embeddings of its rows.

    A name counts with the vectors of its most common dimension, if there are two or more.

    Parameters
    ----------
    rows
        Embeddings of each row by name, length n.

    Examples
    --------
    >>> rows = [{"text": [0.1 * i, 1.0]} for i in range(10)]
    >>> found = with_embeddings(ReferenceProfile(model="m", n=10), rows).embeddings["text"]
    >>> found.dimension, sum(found.norms)
    (2, 10)
    """
    names = sorted({name for row in rows for name in row})
    learnt = {name: _learnt(name, [row.get(name) for row in rows]) for name in names}
    known = {name: found for name, found in learnt.items() if found is not None}
    return profile.model_copy(update={"embeddings": known})


def _learnt(name: str, vectors: Sequence[Sequence[float] | None]) -> EmbeddingProfile | None:
    sizes = Counter(len(v) for v in vectors if v is not None and 1 <= len(v) <= MAX_DIMENSION)
    if not sizes:
        return None
    dimension = min(sizes, key=lambda size: (-sizes[size], size))
    matrix = collect(vectors, dimension=dimension).matrix
    if matrix.shape[0] < 2:
        return None
    found = EmbeddingReference.learn(matrix, encoder=name)
    return EmbeddingProfile(
        dimension=dimension,
        mean=found.mean.tolist(),
        sd=found.sd.tolist(),
        projections=found.counts.tolist(),
        norms=found.norm_counts.tolist(),
    )

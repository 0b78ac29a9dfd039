"""Procedural abdominal CT with simulated acquisition and exact truth (numpy and scipy only)."""

from __future__ import annotations

from ml.phantom.lesions import PhantomLesion
from ml.phantom.model import PhantomConfig, PhantomVolume, make_phantom

__all__ = ["PhantomConfig", "PhantomLesion", "PhantomVolume", "make_phantom"]

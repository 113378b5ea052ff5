"""Upkeep of a model: is it silent, should it be trained again, should services fall back?"""

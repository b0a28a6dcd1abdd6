"""Keras classifiers that were built elsewhere, made fit to be served."""

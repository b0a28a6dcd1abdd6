"""From digits to a SavedModel: data, training, evaluation and export."""

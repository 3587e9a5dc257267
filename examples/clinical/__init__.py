"""Breast masses of the Wisconsin study: tell malignant from benign, and say by which measurements.

Thirty measurements of cell nuclei in fine-needle biopsies, ten properties in three statistics each. The three
statistics of one property are one factor: a clinician reads "size of the cell nuclei", not three columns. The
reference is a group of patients that the model was not trained on, all of them, since a clinical reader
compares with patients in general and not with a passing mark.
"""

from examples.clinical.building import build

__all__ = ["build"]

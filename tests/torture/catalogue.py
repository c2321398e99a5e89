"""All faults that are planted on a disk."""

from torture import files, forms, names, splits

FOLDERS = (*splits.FAULTS, *files.FAULTS, *names.FAULTS)
"""Any trainer of folders can be given these."""

FORMS = forms.FAULTS
"""Tables, shards and saved data sets."""

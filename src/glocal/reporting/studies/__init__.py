"""The page of a study and its figures, made from the files of its folder."""

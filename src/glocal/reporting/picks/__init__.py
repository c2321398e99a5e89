"""The page of a pick and its figures, made from the files of its folder."""

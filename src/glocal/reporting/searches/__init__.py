"""The page of a search and its figures, made from the files of its folder."""

"""How a source of pictures is read: the options that every verb which reads pictures has in common."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel

from glocal.settings import STRICT, Flag


class DataOptions(BaseModel):
    """Options of `check`, and of every verb that reads pictures.

    val_fraction: share of the pictures that goes to val where the source has no val; a fifth, but at most 5,000 pictures,
        where it is not given.
    skip_bad_files: leave out files that cannot be read, and say so, where the default is to refuse.
    group_by: a regular expression with one group in parentheses, searched in each picture's path below its class folder (of a
        table: its path; of a shard: its key) without the suffix; pictures for which the group holds the same text stay on one
        side of a split, and one for which it finds nothing stands alone. `^([^_]+)_` keeps p07_left and p07_right together.
    path_column, label_column, split_column, group_column: the columns of a table, where they are not called path, label, split
        and group; of a saved Hugging Face data set the columns of the pictures, the labels and the groups.
    missing_labels: what to do with labels in a table that say there is none, such as NaN, None, null, NA or `-`.
    """

    model_config = STRICT

    val_fraction: Annotated[
        float | None, Flag("Share of the pictures that is held out where the source has no val; a fifth by default.")
    ] = None
    skip_bad_files: Annotated[bool, Flag("Leave out files that cannot be read, and count them.")] = False
    group_by: Annotated[
        str | None, Flag("Regular expression with one group; pictures with the same text stay in one split.")
    ] = None

    path_column: Annotated[
        str | None, Flag("Column of a table that holds the paths, or of a data set that holds the pictures.")
    ] = None
    label_column: Annotated[str | None, Flag("Column of the labels.")] = None
    split_column: Annotated[str | None, Flag("Column of a table that says train, val or test.")] = None
    group_column: Annotated[
        str | None, Flag("Column of a table that names what stays in one split, such as a patient.")
    ] = None
    missing_labels: Annotated[
        Literal["ask", "class", "drop"],
        Flag("What labels such as NaN, None or - are: a class, or rows to leave out; the default is to stop and ask."),
    ] = "ask"

    @property
    def columns(self) -> dict[str, str]:
        """The columns that were named, by what they hold: path, label, split or group."""
        named = {
            "path": self.path_column,
            "label": self.label_column,
            "split": self.split_column,
            "group": self.group_column,
        }
        return {what: column for what, column in named.items() if column is not None}

    def to_json(self) -> dict[str, Any]:
        """Plain data, for a run.yaml."""
        return self.model_dump(mode="json")


DEFAULTS = DataOptions()

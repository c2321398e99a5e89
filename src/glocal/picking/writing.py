"""The files that a pick leaves: pick.json with everything, pick.csv with a row a candidate."""

import csv
import io

from glocal.files import write_whole
from glocal.picking.open_pick import OpenPick
from glocal.picking.result import PickResult


def write_results(opened: OpenPick, result: PickResult) -> None:
    """Writes both; each takes its place whole."""
    opened.store("pick.json", result.to_json())
    text = io.StringIO()
    rows = result.table()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_whole(opened.folder / "pick.csv", text.getvalue().encode())
